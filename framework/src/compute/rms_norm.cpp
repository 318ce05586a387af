#include <cmath>

#include "compute/kernels.hpp"
#include "khost/parallel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/rms_norm.cpp"
#include <hwy/foreach_target.h>
// foreach_target comes first
#include <hwy/highway.h>

#include "compute/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

void RmsNorm(std::int64_t rows, std::int64_t cols, const float* x, const float* weight, float eps, float* y, float* rrms) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t whole = cols / lanes * lanes;
  const auto rest = static_cast<std::size_t>(cols - whole);
  const float per = 1.0f / static_cast<float>(cols);
  for (std::int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    VF q = hn::Zero(d);
    for (std::int64_t c = 0; c < whole; c += lanes) {
      const VF v = hn::LoadU(d, x + c);
      q = hn::MulAdd(v, v, q);
    }
    if (rest) {
      const VF v = load_part(d, x + whole, rest);
      q = hn::MulAdd(v, v, q);
    }
    rrms[r] = 1.0f / std::sqrt(sum(d, q) * per + eps);
    const VF scale = hn::Set(d, rrms[r]);
    for (std::int64_t c = 0; c < whole; c += lanes)
      hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + c), scale), hn::LoadU(d, weight + c)), d, y + c);
    if (rest)
      store_part(d, hn::Mul(hn::Mul(load_part(d, x + whole, rest), scale), load_part(d, weight + whole, rest)), y + whole, rest);
  }
}

// With h = x rrms and g = dy weight: dx = rrms (g - h mean(g h)).
void RmsNormBackward(std::int64_t rows, std::int64_t cols, const float* x, const float* rrms, const float* weight,
                     const float* dy, float* dx, bool accumulate) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t whole = cols / lanes * lanes;
  const auto rest = static_cast<std::size_t>(cols - whole);
  const float per = 1.0f / static_cast<float>(cols);
  for (std::int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const VF scale = hn::Set(d, rrms[r]);
    VF sh = hn::Zero(d);
    for (std::int64_t c = 0; c < whole; c += lanes)
      sh = hn::MulAdd(hn::Mul(hn::LoadU(d, dy + c), hn::LoadU(d, weight + c)), hn::Mul(hn::LoadU(d, x + c), scale), sh);
    if (rest)
      sh = hn::MulAdd(hn::Mul(load_part(d, dy + whole, rest), load_part(d, weight + whole, rest)),
                      hn::Mul(load_part(d, x + whole, rest), scale), sh);
    const VF mh = hn::Set(d, sum(d, sh) * per);
    const auto out = [&](VF xv, VF w, VF g)
                         HWY_ATTR { return hn::Mul(scale, hn::Sub(hn::Mul(g, w), hn::Mul(hn::Mul(xv, scale), mh))); };
    for (std::int64_t c = 0; c < whole; c += lanes) {
      VF v = out(hn::LoadU(d, x + c), hn::LoadU(d, weight + c), hn::LoadU(d, dy + c));
      if (accumulate) v = hn::Add(v, hn::LoadU(d, dx + c));
      hn::StoreU(v, d, dx + c);
    }
    if (rest) {
      VF v = out(load_part(d, x + whole, rest), load_part(d, weight + whole, rest), load_part(d, dy + whole, rest));
      if (accumulate) v = hn::Add(v, load_part(d, dx + whole, rest));
      store_part(d, v, dx + whole, rest);
    }
  }
}

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost::kernels {
namespace {
std::int64_t row_grain(std::int64_t cols) { return 1 + 8192 / (1 + cols); }
}  // namespace

HWY_EXPORT(RmsNorm);
HWY_EXPORT(RmsNormBackward);

void rms_norm(std::int64_t rows, std::int64_t cols, const float* x, const float* weight, float eps, float* y, float* rrms) {
  parallel_for(rows, row_grain(cols), [&](std::int64_t r, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(RmsNorm)(end - r, cols, x + r * cols, weight, eps, y + r * cols, rrms + r);
  });
}

void rms_norm_backward(std::int64_t rows, std::int64_t cols, const float* x, const float* rrms, const float* weight,
                       const float* dy, float* dx, bool accumulate) {
  parallel_for(rows, row_grain(cols), [&](std::int64_t r, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(RmsNormBackward)
    (end - r, cols, x + r * cols, rrms + r, weight, dy + r * cols, dx + r * cols, accumulate);
  });
}

}  // namespace khost::kernels
#endif
