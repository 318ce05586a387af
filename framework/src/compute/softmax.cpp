#include <algorithm>
#include <cmath>

#include "compute/kernels.hpp"
#include "khost/parallel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/softmax.cpp"
#include <hwy/foreach_target.h>
// foreach_target comes first
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "compute/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

// The largest of n > 0 values; NaN-poisoned rows come out NaN from the exponentials that follow.
HWY_INLINE float largest(F32 d, const float* x, std::int64_t n) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  VF m = hn::Set(d, x[0]);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) m = hn::Max(m, hn::LoadU(d, x + i));
  float top = hn::GetLane(hn::MaxOfLanes(d, m));
  for (; i < n; ++i) top = std::max(top, x[i]);
  return top;
}

// e^z for z <= 0, and NaN for NaN: Highway's Exp takes what is not above its lower bound for 0, which would hide a NaN from the
// loss.
HWY_INLINE VF exponential(F32 d, VF z) { return hn::IfThenElse(hn::IsNaN(z), z, hn::Exp(d, z)); }

// The sum of exp(scale (x[i] - top)) over i < n; `out` gets them, x itself or null. Lanes sum a block of at most 4096 in f32,
// blocks sum in double.
HWY_INLINE double exponentials(F32 d, const float* x, std::int64_t n, float scale, float top, float* out) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const VF vs = hn::Set(d, scale), vt = hn::Set(d, top);
  double total = 0;
  for (std::int64_t begin = 0; begin < n; begin += 4096) {
    const std::int64_t end = std::min<std::int64_t>(n, begin + 4096);
    VF s0 = hn::Zero(d), s1 = hn::Zero(d);
    std::int64_t i = begin;
    for (; i + 2 * lanes <= end; i += 2 * lanes) {
      const VF e0 = exponential(d, hn::Mul(vs, hn::Sub(hn::LoadU(d, x + i), vt)));
      const VF e1 = exponential(d, hn::Mul(vs, hn::Sub(hn::LoadU(d, x + i + lanes), vt)));
      if (out) {
        hn::StoreU(e0, d, out + i);
        hn::StoreU(e1, d, out + i + lanes);
      }
      s0 = hn::Add(s0, e0);
      s1 = hn::Add(s1, e1);
    }
    for (; i < end; i += lanes) {
      const auto part = static_cast<std::size_t>(std::min(lanes, end - i));
      VF e = exponential(d, hn::Mul(vs, hn::Sub(load_part(d, x + i, part), vt)));
      e = hn::IfThenElseZero(hn::FirstN(d, part), e);
      if (out) store_part(d, e, out + i, part);
      s0 = hn::Add(s0, e);
    }
    total += static_cast<double>(sum(d, hn::Add(s0, s1)));
  }
  return total;
}

HWY_INLINE void scale_row(F32 d, float* x, std::int64_t n, float factor) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const VF f = hn::Set(d, factor);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Mul(f, hn::LoadU(d, x + i)), d, x + i);
  for (; i < n; ++i) x[i] *= factor;
}

void CausalSoftmax(std::int64_t rows, std::int64_t first, std::int64_t cols, float scale, float* s, std::int64_t ld) {
  const F32 d;
  for (std::int64_t r = 0; r < rows; ++r, s += ld) {
    const std::int64_t n = first + r + 1;
    const double total = exponentials(d, s, n, scale, largest(d, s, n), s);
    scale_row(d, s, n, static_cast<float>(1.0 / total));
    std::fill(s + n, s + cols, 0.0f);
  }
}

// ds_j = scale p_j (d_j - sum_i p_i d_i)
void CausalSoftmaxBackward(std::int64_t rows, std::int64_t first, std::int64_t cols, float scale, const float* p, float* g,
                           std::int64_t ld) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const VF vs = hn::Set(d, scale);
  for (std::int64_t r = 0; r < rows; ++r, p += ld, g += ld) {
    const std::int64_t n = first + r + 1, whole = n / lanes * lanes;
    const auto rest = static_cast<std::size_t>(n - whole);
    VF s = hn::Zero(d);
    for (std::int64_t i = 0; i < whole; i += lanes) s = hn::MulAdd(hn::LoadU(d, p + i), hn::LoadU(d, g + i), s);
    if (rest) s = hn::MulAdd(load_part(d, p + whole, rest), load_part(d, g + whole, rest), s);
    const VF mean = hn::Set(d, sum(d, s));
    for (std::int64_t i = 0; i < whole; i += lanes)
      hn::StoreU(hn::Mul(hn::Mul(vs, hn::LoadU(d, p + i)), hn::Sub(hn::LoadU(d, g + i), mean)), d, g + i);
    if (rest)
      store_part(d, hn::Mul(hn::Mul(vs, load_part(d, p + whole, rest)), hn::Sub(load_part(d, g + whole, rest), mean)), g + whole,
                 rest);
    std::fill(g + n, g + cols, 0.0f);
  }
}

// Of one row with a target. Returns the sum of exponentials.
HWY_INLINE double row_loss(F32 d, const float* x, std::int64_t cols, std::int32_t target, double& loss, float* exponential) {
  const float top = largest(d, x, cols);
  const float aim = x[target];
  const double total = exponentials(d, x, cols, 1.0f, top, exponential);
  loss = std::log(total) - (static_cast<double>(aim) - static_cast<double>(top));
  return total;
}

void CrossEntropy(std::int64_t rows, std::int64_t cols, const float* x, std::int64_t ld, const std::int32_t* targets,
                  double* loss) {
  const F32 d;
  for (std::int64_t r = 0; r < rows; ++r, x += ld)
    if (targets[r] < 0)
      loss[r] = 0;
    else
      row_loss(d, x, cols, targets[r], loss[r], nullptr);
}

void CrossEntropyGradient(std::int64_t rows, std::int64_t cols, float* x, std::int64_t ld, const std::int32_t* targets,
                          double* loss, float scale) {
  const F32 d;
  for (std::int64_t r = 0; r < rows; ++r, x += ld) {
    if (targets[r] < 0) {
      loss[r] = 0;
      std::fill_n(x, cols, 0.0f);
      continue;
    }
    const double total = row_loss(d, x, cols, targets[r], loss[r], x);
    scale_row(d, x, cols, static_cast<float>(static_cast<double>(scale) / total));
    x[targets[r]] -= scale;
  }
}

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost::kernels {

HWY_EXPORT(CausalSoftmax);
HWY_EXPORT(CausalSoftmaxBackward);
HWY_EXPORT(CrossEntropy);
HWY_EXPORT(CrossEntropyGradient);

void causal_softmax(std::int64_t rows, std::int64_t first, std::int64_t cols, float scale, float* s, std::int64_t ld) {
  HWY_DYNAMIC_DISPATCH(CausalSoftmax)(rows, first, cols, scale, s, ld);
}

void causal_softmax_backward(std::int64_t rows, std::int64_t first, std::int64_t cols, float scale, const float* p, float* d,
                             std::int64_t ld) {
  HWY_DYNAMIC_DISPATCH(CausalSoftmaxBackward)(rows, first, cols, scale, p, d, ld);
}

void cross_entropy(std::int64_t rows, std::int64_t cols, const float* logits, std::int64_t ld, const std::int32_t* targets,
                   double* loss) {
  parallel_for(rows, 1 + 4096 / (1 + cols), [&](std::int64_t r, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(CrossEntropy)(end - r, cols, logits + r * ld, ld, targets + r, loss + r);
  });
}

void cross_entropy_gradient(std::int64_t rows, std::int64_t cols, float* logits, std::int64_t ld, const std::int32_t* targets,
                            double* loss, float scale) {
  parallel_for(rows, 1 + 4096 / (1 + cols), [&](std::int64_t r, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(CrossEntropyGradient)(end - r, cols, logits + r * ld, ld, targets + r, loss + r, scale);
  });
}

}  // namespace khost::kernels
#endif
