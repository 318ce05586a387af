#include <cmath>

#include "compute/kernels.hpp"
#include "khost/parallel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/layer_norm.cpp"
#include <hwy/foreach_target.h>
// foreach_target comes first
#include <hwy/highway.h>

#include "compute/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

// Centred: a layer norm; else an RMS norm, with neither mean nor bias.
template <bool centred>
HWY_INLINE void Norm(std::int64_t rows, std::int64_t cols, const float* x, const float* weight, const float* bias, float eps,
                     float* y, float* mean, float* rstd) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t whole = cols / lanes * lanes;
  const auto rest = static_cast<std::size_t>(cols - whole);
  const float per = 1.0f / static_cast<float>(cols);
  for (std::int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    VF vm = hn::Zero(d);
    if constexpr (centred) {
      VF s = hn::Zero(d);
      for (std::int64_t c = 0; c < whole; c += lanes) s = hn::Add(s, hn::LoadU(d, x + c));
      if (rest) s = hn::Add(s, load_part(d, x + whole, rest));
      mean[r] = sum(d, s) * per;
      vm = hn::Set(d, mean[r]);
    }
    VF q = hn::Zero(d);
    for (std::int64_t c = 0; c < whole; c += lanes) {
      const VF e = hn::Sub(hn::LoadU(d, x + c), vm);
      q = hn::MulAdd(e, e, q);
    }
    if (rest) {
      const VF e = hn::IfThenElseZero(hn::FirstN(d, rest), hn::Sub(load_part(d, x + whole, rest), vm));
      q = hn::MulAdd(e, e, q);
    }
    const float inverse = 1.0f / std::sqrt(sum(d, q) * per + eps);
    rstd[r] = inverse;
    const VF vi = hn::Set(d, inverse);
    const auto out = [&](VF xv, VF w, VF b) HWY_ATTR { return hn::MulAdd(hn::Mul(hn::Sub(xv, vm), vi), w, b); };
    const auto shift = [&](std::int64_t c) HWY_ATTR { return centred ? hn::LoadU(d, bias + c) : hn::Zero(d); };
    for (std::int64_t c = 0; c < whole; c += lanes)
      hn::StoreU(out(hn::LoadU(d, x + c), hn::LoadU(d, weight + c), shift(c)), d, y + c);
    if (rest) {
      const VF b = centred ? load_part(d, bias + whole, rest) : hn::Zero(d);
      store_part(d, out(load_part(d, x + whole, rest), load_part(d, weight + whole, rest), b), y + whole, rest);
    }
  }
}

void LayerNorm(std::int64_t rows, std::int64_t cols, const float* x, const float* weight, const float* bias, float eps, float* y,
               float* mean, float* rstd) {
  Norm<true>(rows, cols, x, weight, bias, eps, y, mean, rstd);
}

void RmsNorm(std::int64_t rows, std::int64_t cols, const float* x, const float* weight, float eps, float* y, float* rrms) {
  Norm<false>(rows, cols, x, weight, nullptr, eps, y, nullptr, rrms);
}

// With h = (x - mean) rstd and g = dy weight: dx = rstd (g - mean(g) - h mean(g h)); without the two means where nothing is
// centred.
template <bool centred>
HWY_INLINE void NormBackward(std::int64_t rows, std::int64_t cols, const float* x, const float* mean, const float* rstd,
                             const float* weight, const float* dy, float* dx, bool accumulate) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t whole = cols / lanes * lanes;
  const auto rest = static_cast<std::size_t>(cols - whole);
  const float per = 1.0f / static_cast<float>(cols);
  for (std::int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const VF vm = centred ? hn::Set(d, mean[r]) : hn::Zero(d), vi = hn::Set(d, rstd[r]);
    VF sg = hn::Zero(d), sh = hn::Zero(d);
    const auto add = [&](VF xv, VF w, VF g) HWY_ATTR {
      g = hn::Mul(g, w);
      sg = hn::Add(sg, g);
      sh = hn::MulAdd(g, hn::Mul(hn::Sub(xv, vm), vi), sh);
    };
    for (std::int64_t c = 0; c < whole; c += lanes) add(hn::LoadU(d, x + c), hn::LoadU(d, weight + c), hn::LoadU(d, dy + c));
    // The missing lanes have weight 0 and so add nothing.
    if (rest) add(load_part(d, x + whole, rest), load_part(d, weight + whole, rest), load_part(d, dy + whole, rest));
    const VF mg = centred ? hn::Set(d, sum(d, sg) * per) : hn::Zero(d), mh = hn::Set(d, sum(d, sh) * per);
    const auto out = [&](VF xv, VF w, VF g) HWY_ATTR {
      const VF h = hn::Mul(hn::Sub(xv, vm), vi);
      return hn::Mul(vi, hn::Sub(hn::MulSub(g, w, mg), hn::Mul(h, mh)));
    };
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

void LayerNormBackward(std::int64_t rows, std::int64_t cols, const float* x, const float* mean, const float* rstd,
                       const float* weight, const float* dy, float* dx, bool accumulate) {
  NormBackward<true>(rows, cols, x, mean, rstd, weight, dy, dx, accumulate);
}

void RmsNormBackward(std::int64_t rows, std::int64_t cols, const float* x, const float* rrms, const float* weight,
                     const float* dy, float* dx, bool accumulate) {
  NormBackward<false>(rows, cols, x, nullptr, rrms, weight, dy, dx, accumulate);
}

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost::kernels {
namespace {
std::int64_t row_grain(std::int64_t cols) { return 1 + 8192 / (1 + cols); }
}  // namespace

HWY_EXPORT(LayerNorm);
HWY_EXPORT(LayerNormBackward);
HWY_EXPORT(RmsNorm);
HWY_EXPORT(RmsNormBackward);

void layer_norm(std::int64_t rows, std::int64_t cols, const float* x, const float* weight, const float* bias, float eps, float* y,
                float* mean, float* rstd) {
  parallel_for(rows, row_grain(cols), [&](std::int64_t r, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(LayerNorm)(end - r, cols, x + r * cols, weight, bias, eps, y + r * cols, mean + r, rstd + r);
  });
}

void layer_norm_backward(std::int64_t rows, std::int64_t cols, const float* x, const float* mean, const float* rstd,
                         const float* weight, const float* dy, float* dx, bool accumulate) {
  parallel_for(rows, row_grain(cols), [&](std::int64_t r, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(LayerNormBackward)
    (end - r, cols, x + r * cols, mean + r, rstd + r, weight, dy + r * cols, dx + r * cols, accumulate);
  });
}

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
