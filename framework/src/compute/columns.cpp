// Sums down the rows of a matrix, first to last, in double: what gathers the gradients of all tokens.
#include <algorithm>

#include "compute/kernels.hpp"
#include "khost/parallel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/columns.cpp"
#include <hwy/foreach_target.h>
// foreach_target comes first
#include <hwy/highway.h>

#include "compute/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

// As many floats at p as a vector of doubles has, exact.
template <class Double>
HWY_INLINE hn::Vec<Double> in_double(Double d, const float* p) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, Double>(), p));
}

// out[c] += the sum over rows of term(d, r, c), which is of the columns from c on that a vector of d has. Four vectors at a time
// stay in registers down the rows.
template <class Term>
HWY_INLINE void sum_down(std::int64_t rows, std::int64_t cols, double* out, const Term& term) {
  const F64 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t c = 0;
  for (; c + 4 * lanes <= cols; c += 4 * lanes) {
    auto s0 = hn::LoadU(d, out + c), s1 = hn::LoadU(d, out + c + lanes);
    auto s2 = hn::LoadU(d, out + c + 2 * lanes), s3 = hn::LoadU(d, out + c + 3 * lanes);
    for (std::int64_t r = 0; r < rows; ++r) {
      s0 = hn::Add(s0, term(d, r, c));
      s1 = hn::Add(s1, term(d, r, c + lanes));
      s2 = hn::Add(s2, term(d, r, c + 2 * lanes));
      s3 = hn::Add(s3, term(d, r, c + 3 * lanes));
    }
    hn::StoreU(s0, d, out + c);
    hn::StoreU(s1, d, out + c + lanes);
    hn::StoreU(s2, d, out + c + 2 * lanes);
    hn::StoreU(s3, d, out + c + 3 * lanes);
  }
  const hn::CappedTag<double, 1> one;
  for (; c < cols; ++c) {
    auto s = hn::LoadU(one, out + c);
    for (std::int64_t r = 0; r < rows; ++r) s = hn::Add(s, term(one, r, c));
    hn::StoreU(s, one, out + c);
  }
}

// Products of two floats are exact in double.
void ColumnProducts(std::int64_t rows, std::int64_t cols, const float* a, std::int64_t lda, const float* b, std::int64_t ldb,
                    double* out) {
  sum_down(rows, cols, out, [&](auto d, std::int64_t r, std::int64_t c) HWY_ATTR {
    return hn::Mul(in_double(d, a + r * lda + c), in_double(d, b + r * ldb + c));
  });
}

void ColumnSums(std::int64_t rows, std::int64_t cols, const float* x, std::int64_t ldx, double* out) {
  sum_down(rows, cols, out, [&](auto d, std::int64_t r, std::int64_t c) HWY_ATTR { return in_double(d, x + r * ldx + c); });
}

void NormWeightSums(std::int64_t rows, std::int64_t cols, const float* x, const float* mean, const float* rstd, const float* dy,
                    std::int64_t ld, double* out) {
  sum_down(rows, cols, out, [&](auto d, std::int64_t r, std::int64_t c) HWY_ATTR {
    const hn::Rebind<float, decltype(d)> half;
    const auto centred = hn::Sub(hn::LoadU(half, x + r * ld + c), hn::Set(half, mean ? mean[r] : 0.0f));
    return hn::Mul(in_double(d, dy + r * ld + c), hn::PromoteTo(d, hn::Mul(centred, hn::Set(half, rstd[r]))));
  });
}

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost::kernels {
namespace {

std::int64_t grain(std::int64_t rows) { return 16 + 16384 / (1 + rows); }

// out[c] (+)= what `sum` adds to n zeros for the columns from c on
template <class Sum>
void to_floats(std::int64_t rows, std::int64_t cols, float* out, bool accumulate, const Sum& sum) {
  parallel_for(cols, grain(rows), [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t width = 64;  // a whole number of what stays in registers, up to AVX-512
    for (std::int64_t c = begin; c < end; c += width) {
      const std::int64_t n = std::min(width, end - c);
      double sums[width] = {};
      sum(c, n, sums);
      for (std::int64_t i = 0; i < n; ++i) out[c + i] = static_cast<float>(sums[i] + (accumulate ? out[c + i] : 0.0f));
    }
  });
}

}  // namespace

HWY_EXPORT(ColumnProducts);
HWY_EXPORT(ColumnSums);
HWY_EXPORT(NormWeightSums);

void column_products(std::int64_t rows, std::int64_t cols, const float* a, std::int64_t lda, const float* b, std::int64_t ldb,
                     double* out, bool accumulate) {
  if (!accumulate) std::fill_n(out, cols, 0.0);
  parallel_for(cols, grain(rows), [&](std::int64_t c, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(ColumnProducts)(rows, end - c, a + c, lda, b + c, ldb, out + c);
  });
}

void column_sums(std::int64_t rows, std::int64_t cols, const float* x, float* out, bool accumulate) {
  to_floats(rows, cols, out, accumulate, [&](std::int64_t c, std::int64_t n, double* sums) {
    HWY_DYNAMIC_DISPATCH(ColumnSums)(rows, n, x + c, cols, sums);
  });
}

void norm_weight_gradient(std::int64_t rows, std::int64_t cols, const float* x, const float* mean, const float* rstd,
                          const float* dy, float* dweight, bool accumulate) {
  to_floats(rows, cols, dweight, accumulate, [&](std::int64_t c, std::int64_t n, double* sums) {
    HWY_DYNAMIC_DISPATCH(NormWeightSums)(rows, n, x + c, mean, rstd, dy + c, cols, sums);
  });
}

}  // namespace khost::kernels
#endif
