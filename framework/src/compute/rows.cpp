#include "compute/kernels.hpp"
#include "khost/parallel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/rows.cpp"
#include <hwy/foreach_target.h>
// foreach_target comes first
#include <hwy/highway.h>

#include "compute/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

void Add(std::int64_t n, const float* a, const float* b, float* y) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  for (; i < n; ++i) y[i] = a[i] + b[i];
}

void Multiply(std::int64_t n, const float* a, const float* b, float* y, bool accumulate) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  if (accumulate) {
    for (; i + lanes <= n; i += lanes)
      hn::StoreU(hn::Add(hn::LoadU(d, y + i), hn::Mul(hn::LoadU(d, a + i), hn::LoadU(d, b + i))), d, y + i);
    for (; i < n; ++i) y[i] += a[i] * b[i];
  } else {
    for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
    for (; i < n; ++i) y[i] = a[i] * b[i];
  }
}

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost::kernels {
namespace {
constexpr std::int64_t grain = 16384;  // elements below which a second thread costs more than it saves
}

HWY_EXPORT(Add);
HWY_EXPORT(Multiply);

void add(std::int64_t n, const float* a, const float* b, float* y) {
  parallel_for(n, grain, [&](std::int64_t i, std::int64_t end) { HWY_DYNAMIC_DISPATCH(Add)(end - i, a + i, b + i, y + i); });
}

void multiply(std::int64_t n, const float* slope, const float* dy, float* dx, bool accumulate) {
  parallel_for(n, grain, [&](std::int64_t i, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(Multiply)(end - i, slope + i, dy + i, dx + i, accumulate);
  });
}

void scale_columns(std::int64_t rows, std::int64_t cols, const float* x, std::int64_t ldx, const float* s, float* y,
                   std::int64_t ldy) {
  parallel_for(rows, 1 + grain / (1 + cols), [&](std::int64_t r, std::int64_t end) {
    for (; r < end; ++r) HWY_DYNAMIC_DISPATCH(Multiply)(cols, x + r * ldx, s, y + r * ldy, false);
  });
}

}  // namespace khost::kernels
#endif
