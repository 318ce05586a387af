#include "compute/kernels.hpp"
#include "khost/parallel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/gelu.cpp"
#include <hwy/foreach_target.h>
// foreach_target comes first
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "compute/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

struct Normal {
  VF cdf;      // Phi(x)
  VF density;  // phi(x) = exp(-x^2/2) / sqrt(2 pi)
};

// Phi(-a) = erfcx(t) exp(-a^2/2) / 2 with a = |x|, t = a / sqrt 2 and erfcx(t) = exp(t^2) erfc(t), which is smooth: (t + 2.5)
// erfcx(t) is a polynomial of degree 10 in u = (t - 2.5) / (t + 2.5) to 2e-9 relative for t up to 10.5 (a minimax fit of our
// own), and one division gives both u and 1 / (t + 2.5). Beyond a = 14 exp(-a^2/2) is 0 in f32.
HWY_INLINE Normal normal(F32 d, VF x) {
  const VF a = hn::Min(hn::Abs(x), hn::Set(d, 14.5f));
  const VF square = hn::Mul(a, a);
  const VF lost = hn::MulSub(a, a, square);  // what rounding took from a^2 (0 without fused multiply-add)
  const VF half = hn::Set(d, 0.5f);
  VF e = hn::Exp(d, hn::Mul(square, hn::Set(d, -0.5f)));
  e = hn::NegMulAdd(hn::Mul(e, half), lost, e);
  const VF r = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(a, hn::Set(d, 0.70710678118f), hn::Set(d, 2.5f)));
  const VF u = hn::NegMulAdd(hn::Set(d, 5.0f), r, hn::Set(d, 1.0f));
  VF p = hn::Set(d, -4.7001142852e-05f);
  p = hn::MulAdd(p, u, hn::Set(d, 6.5904157874e-05f));
  p = hn::MulAdd(p, u, hn::Set(d, 6.4807840495e-04f));
  p = hn::MulAdd(p, u, hn::Set(d, -4.5511315168e-04f));
  p = hn::MulAdd(p, u, hn::Set(d, -4.8000659310e-03f));
  p = hn::MulAdd(p, u, hn::Set(d, 8.3986013430e-03f));
  p = hn::MulAdd(p, u, hn::Set(d, 2.8358655107e-02f));
  p = hn::MulAdd(p, u, hn::Set(d, -1.7125178231e-01f));
  p = hn::MulAdd(p, u, hn::Set(d, 4.5391428847e-01f));
  p = hn::MulAdd(p, u, hn::Set(d, -8.0465183162e-01f));
  p = hn::MulAdd(p, u, hn::Set(d, 1.0540318186e+00f));
  const VF tail = hn::Mul(hn::Mul(p, hn::Mul(r, half)), e);
  Normal n;
  n.cdf = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 1.0f), tail));
  n.cdf = hn::IfThenElse(hn::IsNaN(x), x, n.cdf);  // Min and Max may drop a NaN
  n.density = hn::Mul(e, hn::Set(d, 0.3989422804f));
  return n;
}

void NormalCdf(std::int64_t n, const float* x, float* y) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(normal(d, hn::LoadU(d, x + i)).cdf, d, y + i);
  const auto rest = static_cast<std::size_t>(n - i);
  if (rest) store_part(d, normal(d, load_part(d, x + i, rest)).cdf, y + i, rest);
}

void Gelu(std::int64_t n, const float* x, float* y) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const VF v = hn::LoadU(d, x + i);
    hn::StoreU(hn::Mul(v, normal(d, v).cdf), d, y + i);
  }
  const auto rest = static_cast<std::size_t>(n - i);
  if (rest) {
    const VF v = load_part(d, x + i, rest);
    store_part(d, hn::Mul(v, normal(d, v).cdf), y + i, rest);
  }
}

void GeluWithSlope(std::int64_t n, const float* x, float* y, float* slope) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const VF v = hn::LoadU(d, x + i);
    const Normal f = normal(d, v);
    hn::StoreU(hn::Mul(v, f.cdf), d, y + i);
    hn::StoreU(hn::MulAdd(v, f.density, f.cdf), d, slope + i);
  }
  const auto rest = static_cast<std::size_t>(n - i);
  if (rest) {
    const VF v = load_part(d, x + i, rest);
    const Normal f = normal(d, v);
    store_part(d, hn::Mul(v, f.cdf), y + i, rest);
    store_part(d, hn::MulAdd(v, f.density, f.cdf), slope + i, rest);
  }
}

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost::kernels {
namespace {
constexpr std::int64_t grain = 4096;
}

HWY_EXPORT(NormalCdf);
HWY_EXPORT(Gelu);
HWY_EXPORT(GeluWithSlope);

void normal_cdf(std::int64_t n, const float* x, float* y) { HWY_DYNAMIC_DISPATCH(NormalCdf)(n, x, y); }

void gelu(std::int64_t n, const float* x, float* y) {
  parallel_for(n, grain, [&](std::int64_t i, std::int64_t end) { HWY_DYNAMIC_DISPATCH(Gelu)(end - i, x + i, y + i); });
}

void gelu_with_slope(std::int64_t n, const float* x, float* y, float* slope) {
  parallel_for(n, grain, [&](std::int64_t i, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(GeluWithSlope)(end - i, x + i, y + i, slope + i);
  });
}

}  // namespace khost::kernels
#endif
