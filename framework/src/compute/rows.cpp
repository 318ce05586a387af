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

void ColumnProducts(std::int64_t rows, std::int64_t cols, const float* a, std::int64_t lda, const float* b, std::int64_t ldb,
                    double* out) {
  const F64 d;
  const hn::Rebind<float, F64> half;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t c = 0;
  for (; c + 4 * lanes <= cols; c += 4 * lanes) {  // four sums at a time, in registers down the rows
    auto s0 = hn::LoadU(d, out + c), s1 = hn::LoadU(d, out + c + lanes);
    auto s2 = hn::LoadU(d, out + c + 2 * lanes), s3 = hn::LoadU(d, out + c + 3 * lanes);
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* x = a + r * lda + c;
      const float* y = b + r * ldb + c;
      const auto product = [&](std::int64_t i) HWY_ATTR {  // of two floats, exact in double
        return hn::Mul(hn::PromoteTo(d, hn::LoadU(half, x + i)), hn::PromoteTo(d, hn::LoadU(half, y + i)));
      };
      s0 = hn::Add(s0, product(0));
      s1 = hn::Add(s1, product(lanes));
      s2 = hn::Add(s2, product(2 * lanes));
      s3 = hn::Add(s3, product(3 * lanes));
    }
    hn::StoreU(s0, d, out + c);
    hn::StoreU(s1, d, out + c + lanes);
    hn::StoreU(s2, d, out + c + 2 * lanes);
    hn::StoreU(s3, d, out + c + 3 * lanes);
  }
  for (; c < cols; ++c) {
    double s = out[c];
    for (std::int64_t r = 0; r < rows; ++r) s += static_cast<double>(a[r * lda + c]) * static_cast<double>(b[r * ldb + c]);
    out[c] = s;
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
HWY_EXPORT(ColumnProducts);

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

void column_products(std::int64_t rows, std::int64_t cols, const float* a, std::int64_t lda, const float* b, std::int64_t ldb,
                     double* out, bool accumulate) {
  if (!accumulate)
    for (std::int64_t c = 0; c < cols; ++c) out[c] = 0;
  parallel_for(cols, 16 + grain / (1 + rows), [&](std::int64_t c, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(ColumnProducts)(rows, end - c, a + c, lda, b + c, ldb, out + c);
  });
}

}  // namespace khost::kernels
#endif
