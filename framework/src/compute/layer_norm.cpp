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

void LayerNorm(std::int64_t rows, std::int64_t cols, const float* x, const float* weight, const float* bias, float eps, float* y,
               float* mean, float* rstd) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t whole = cols / lanes * lanes;
  const auto rest = static_cast<std::size_t>(cols - whole);
  const float per = 1.0f / static_cast<float>(cols);
  for (std::int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    VF s = hn::Zero(d);
    for (std::int64_t c = 0; c < whole; c += lanes) s = hn::Add(s, hn::LoadU(d, x + c));
    if (rest) s = hn::Add(s, load_part(d, x + whole, rest));
    const float m = sum(d, s) * per;
    const VF vm = hn::Set(d, m);
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
    mean[r] = m;
    rstd[r] = inverse;
    const VF vi = hn::Set(d, inverse);
    const auto out = [&](VF xv, VF w, VF b) HWY_ATTR { return hn::MulAdd(hn::Mul(hn::Sub(xv, vm), vi), w, b); };
    for (std::int64_t c = 0; c < whole; c += lanes)
      hn::StoreU(out(hn::LoadU(d, x + c), hn::LoadU(d, weight + c), hn::LoadU(d, bias + c)), d, y + c);
    if (rest)
      store_part(d, out(load_part(d, x + whole, rest), load_part(d, weight + whole, rest), load_part(d, bias + whole, rest)),
                 y + whole, rest);
  }
}

// With h = (x - mean) rstd and g = dy weight: dx = rstd (g - mean(g) - h mean(g h)).
void LayerNormBackward(std::int64_t rows, std::int64_t cols, const float* x, const float* mean, const float* rstd,
                       const float* weight, const float* dy, float* dx, bool accumulate) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t whole = cols / lanes * lanes;
  const auto rest = static_cast<std::size_t>(cols - whole);
  const float per = 1.0f / static_cast<float>(cols);
  for (std::int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const VF vm = hn::Set(d, mean[r]), vi = hn::Set(d, rstd[r]);
    VF sg = hn::Zero(d), sh = hn::Zero(d);
    const auto add = [&](VF xv, VF w, VF g) HWY_ATTR {
      g = hn::Mul(g, w);
      sg = hn::Add(sg, g);
      sh = hn::MulAdd(g, hn::Mul(hn::Sub(xv, vm), vi), sh);
    };
    for (std::int64_t c = 0; c < whole; c += lanes) add(hn::LoadU(d, x + c), hn::LoadU(d, weight + c), hn::LoadU(d, dy + c));
    // The missing lanes have weight 0 and so add nothing.
    if (rest) add(load_part(d, x + whole, rest), load_part(d, weight + whole, rest), load_part(d, dy + whole, rest));
    const VF mg = hn::Set(d, sum(d, sg) * per), mh = hn::Set(d, sum(d, sh) * per);
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

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost::kernels {
namespace {
std::int64_t row_grain(std::int64_t cols) { return 1 + 8192 / (1 + cols); }
}  // namespace

HWY_EXPORT(LayerNorm);
HWY_EXPORT(LayerNormBackward);

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

// Only in steps that ask for weight gradients, and small beside the matrices' products there: plain loops, summed in double.
void layer_norm_weight_gradients(std::int64_t rows, std::int64_t cols, const float* x, const float* mean, const float* rstd,
                                 const float* dy, float* dweight, float* dbias, bool accumulate) {
  parallel_for(cols, 1 + 8192 / (1 + rows), [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t width = 64;  // columns at a time: a cache line or more of each row
    for (std::int64_t c0 = begin; c0 < end; c0 += width) {
      const std::int64_t n = end - c0 < width ? end - c0 : width;
      double w[width] = {}, b[width] = {};
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t i = 0; i < n; ++i) {
          const double g = dy[r * cols + c0 + i];
          b[i] += g;
          w[i] += g * ((x[r * cols + c0 + i] - (mean ? mean[r] : 0.0f)) * rstd[r]);
        }
      }
      for (std::int64_t i = 0; i < n; ++i) {
        if (dweight) dweight[c0 + i] = static_cast<float>(w[i] + (accumulate ? dweight[c0 + i] : 0.0f));
        if (dbias) dbias[c0 + i] = static_cast<float>(b[i] + (accumulate ? dbias[c0 + i] : 0.0f));
      }
    }
  });
}

}  // namespace khost::kernels
#endif
