#include "compute/kernels.hpp"
#include "khost/parallel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/sigmoid.cpp"
#include <hwy/foreach_target.h>
// foreach_target comes first
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "compute/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

// 1 / (1 + exp(-z)), of an exponential that cannot overflow.
HWY_INLINE VF sigmoid(F32 d, VF z) {
  const VF one = hn::Set(d, 1.0f), e = hn::Exp(d, hn::Neg(hn::Abs(z)));
  const VF s = hn::Div(hn::IfThenElse(hn::Lt(z, hn::Zero(d)), e, one), hn::Add(one, e));
  return hn::IfThenElse(hn::IsNaN(z), z, s);
}

// y = x sigmoid(z(x)), slope = s + x s (1 - s) z'(x); z and z' by `inner`.
template <class Inner>
HWY_INLINE void gated(std::int64_t n, const float* x, float* y, float* slope, Inner&& inner) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto part = [&](std::int64_t i, VF v, std::size_t count) HWY_ATTR {
    VF z, dz;
    inner(d, v, z, dz);
    const VF s = sigmoid(d, z), value = hn::Mul(v, s);
    const VF derivative = hn::MulAdd(hn::Mul(value, hn::Sub(hn::Set(d, 1.0f), s)), dz, s);
    if (count == static_cast<std::size_t>(lanes)) {
      hn::StoreU(value, d, y + i);
      if (slope) hn::StoreU(derivative, d, slope + i);
    } else {
      store_part(d, value, y + i, count);
      if (slope) store_part(d, derivative, slope + i, count);
    }
  };
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) part(i, hn::LoadU(d, x + i), static_cast<std::size_t>(lanes));
  const auto rest = static_cast<std::size_t>(n - i);
  if (rest) part(i, load_part(d, x + i, rest), rest);
}

void Silu(std::int64_t n, const float* x, float* y, float* slope) {
  gated(n, x, y, slope, [](F32 d, VF v, VF& z, VF& dz) HWY_ATTR {
    z = v;
    dz = hn::Set(d, 1.0f);
  });
}

// (1 + tanh(u)) / 2 is the sigmoid of 2u = 2 sqrt(2/pi) (x + 0.044715 x^3).
void GeluTanh(std::int64_t n, const float* x, float* y, float* slope) {
  gated(n, x, y, slope, [](F32 d, VF v, VF& z, VF& dz) HWY_ATTR {
    const VF square = hn::Mul(v, v), c = hn::Set(d, 1.5957691216f);
    z = hn::Mul(hn::Mul(c, v), hn::MulAdd(square, hn::Set(d, 0.044715f), hn::Set(d, 1.0f)));
    dz = hn::Mul(c, hn::MulAdd(square, hn::Set(d, 3 * 0.044715f), hn::Set(d, 1.0f)));
  });
}

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost::kernels {
namespace {

constexpr std::int64_t grain = 4096;

template <class F>
void in_parts(std::int64_t n, const float* x, float* y, float* slope, F&& f) {
  parallel_for(n, grain, [&](std::int64_t i, std::int64_t end) { f(end - i, x + i, y + i, slope ? slope + i : nullptr); });
}

}  // namespace

HWY_EXPORT(Silu);
HWY_EXPORT(GeluTanh);

void silu(std::int64_t n, const float* x, float* y, float* slope) { in_parts(n, x, y, slope, HWY_DYNAMIC_DISPATCH(Silu)); }
void gelu_tanh(std::int64_t n, const float* x, float* y, float* slope) {
  in_parts(n, x, y, slope, HWY_DYNAMIC_DISPATCH(GeluTanh));
}

}  // namespace khost::kernels
#endif
