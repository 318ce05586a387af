#include "compute/portable_gemm.hpp"

#include <algorithm>
#include <cstring>

#include "khost/parallel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/portable_gemm.cpp"
#define HWY_DISABLED_TARGETS \
  (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)  // their vectors cannot be array elements
#include <hwy/foreach_target.h>
// foreach_target comes first
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
constexpr std::int64_t tile_rows = 12;  // 24 of 32 vector registers hold sums
#else
constexpr std::int64_t tile_rows = 6;  // 12 of 16
#endif
constexpr std::int64_t lanes = HWY_MAX_BYTES < 64 ? HWY_MAX_BYTES / 4 : 16;
constexpr std::int64_t tile_cols = 2 * lanes;
constexpr std::int64_t block_rows = 96, block_depth = 256,
                       block_cols = 128;  // packed blocks: 96 KiB of A, 128 KiB of B, on the stack
static_assert(block_rows % tile_rows == 0 && block_cols % tile_cols == 0);

// Rows i0 .. of op(A), depth p0 .., in panels of tile_rows: panel after panel, depth after depth, row after row; missing rows are
// 0.
void pack_a(const khost_gemm& g, std::int64_t i0, std::int64_t rows, std::int64_t p0, std::int64_t depth, float* out) {
  const std::int64_t step_row = g.transpose_a ? 1 : g.lda, step_depth = g.transpose_a ? g.lda : 1;
  for (std::int64_t i = 0; i < rows; i += tile_rows, out += tile_rows * depth) {
    const std::int64_t n = std::min(tile_rows, rows - i);
    const float* from = g.a + (i0 + i) * step_row + p0 * step_depth;
    if (n < tile_rows) std::fill_n(out, tile_rows * depth, 0.0f);
    if (g.transpose_a) {
      for (std::int64_t p = 0; p < depth; ++p)
        for (std::int64_t r = 0; r < n; ++r) out[p * tile_rows + r] = from[p * step_depth + r];
    } else {
      for (std::int64_t r = 0; r < n; ++r)
        for (std::int64_t p = 0; p < depth; ++p) out[p * tile_rows + r] = from[r * step_row + p];
    }
  }
}

// Likewise columns j0 .. of op(B) in panels of tile_cols.
void pack_b(const khost_gemm& g, std::int64_t j0, std::int64_t cols, std::int64_t p0, std::int64_t depth, float* out) {
  for (std::int64_t j = 0; j < cols; j += tile_cols, out += tile_cols * depth) {
    const std::int64_t n = std::min(tile_cols, cols - j);
    if (n < tile_cols) std::fill_n(out, tile_cols * depth, 0.0f);
    if (g.transpose_b) {
      const float* from = g.b + (j0 + j) * g.ldb + p0;
      for (std::int64_t c = 0; c < n; ++c)
        for (std::int64_t p = 0; p < depth; ++p) out[p * tile_cols + c] = from[c * g.ldb + p];
    } else {
      const float* from = g.b + p0 * g.ldb + j0 + j;
      for (std::int64_t p = 0; p < depth; ++p)
        std::memcpy(out + p * tile_cols, from + p * g.ldb, static_cast<std::size_t>(n) * sizeof(float));
    }
  }
}

// out [tile_rows, tile_cols] = alpha (panel of A)(panel of B)
HWY_INLINE void tile(std::int64_t depth, const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, float alpha,
                     float* HWY_RESTRICT out) {
  const D d;
  V s0[tile_rows], s1[tile_rows];
  for (std::int64_t r = 0; r < tile_rows; ++r) s0[r] = s1[r] = hn::Zero(d);
  for (std::int64_t p = 0; p < depth; ++p, a += tile_rows, b += tile_cols) {
    const V b0 = hn::LoadU(d, b), b1 = hn::LoadU(d, b + lanes);
#pragma GCC unroll 12
    for (std::int64_t r = 0; r < tile_rows; ++r) {
      const V x = hn::Set(d, a[r]);
      s0[r] = hn::MulAdd(x, b0, s0[r]);
      s1[r] = hn::MulAdd(x, b1, s1[r]);
    }
  }
  const V f = hn::Set(d, alpha);
  for (std::int64_t r = 0; r < tile_rows; ++r) {
    hn::StoreU(hn::Mul(f, s0[r]), d, out + r * tile_cols);
    hn::StoreU(hn::Mul(f, s1[r]), d, out + r * tile_cols + lanes);
  }
}

void Gemm(const khost_gemm& g) {
  const D d;
  HWY_ALIGN float a[block_rows * block_depth];
  HWY_ALIGN float b[block_depth * block_cols];
  HWY_ALIGN float out[tile_rows * tile_cols];
  for (std::int64_t j0 = 0; j0 < g.n; j0 += block_cols) {
    const std::int64_t cols = std::min(block_cols, g.n - j0);
    for (std::int64_t p0 = 0; p0 < g.k; p0 += block_depth) {
      const std::int64_t depth = std::min(block_depth, g.k - p0);
      const float beta = p0 == 0 ? g.beta : 1.0f;
      pack_b(g, j0, cols, p0, depth, b);
      for (std::int64_t i0 = 0; i0 < g.m; i0 += block_rows) {
        const std::int64_t rows = std::min(block_rows, g.m - i0);
        pack_a(g, i0, rows, p0, depth, a);
        for (std::int64_t j = 0; j < cols; j += tile_cols) {
          for (std::int64_t i = 0; i < rows; i += tile_rows) {
            tile(depth, a + i * depth, b + j * depth, g.alpha, out);
            const std::int64_t r_end = std::min(tile_rows, rows - i), c_end = std::min(tile_cols, cols - j);
            float* c = g.c + (i0 + i) * g.ldc + j0 + j;
            for (std::int64_t r = 0; r < r_end; ++r, c += g.ldc) {
              const float* from = out + r * tile_cols;
              if (c_end == tile_cols) {
                for (std::int64_t q = 0; q < tile_cols; q += lanes) {
                  V v = hn::LoadU(d, from + q);
                  if (beta != 0) v = hn::MulAdd(hn::Set(d, beta), hn::LoadU(d, c + q), v);
                  hn::StoreU(v, d, c + q);
                }
              } else {
                for (std::int64_t q = 0; q < c_end; ++q) c[q] = beta != 0 ? beta * c[q] + from[q] : from[q];
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost::kernels {

HWY_EXPORT(Gemm);

void portable_gemm_serial(const khost_gemm& g) {
  if (g.m <= 0 || g.n <= 0) return;
  if (g.k <= 0 || g.alpha == 0) {
    for (std::int64_t i = 0; i < g.m; ++i)
      for (std::int64_t j = 0; j < g.n; ++j) g.c[i * g.ldc + j] = g.beta != 0 ? g.beta * g.c[i * g.ldc + j] : 0.0f;
    return;
  }
  HWY_DYNAMIC_DISPATCH(Gemm)(g);
}

void portable_gemm(const khost_gemm& g) {
  constexpr std::int64_t smallest = 1 << 18;  // products below which a second thread costs more than it saves
  const bool by_columns = g.n >= g.m;
  const std::int64_t unit = by_columns ? 64 : 48, extent = by_columns ? g.n : g.m;
  const std::int64_t unit_work = unit * std::max<std::int64_t>(1, by_columns ? g.m : g.n) * std::max<std::int64_t>(1, g.k);
  parallel_for((extent + unit - 1) / unit, (smallest + unit_work - 1) / unit_work, [&](std::int64_t begin, std::int64_t end) {
    khost_gemm part = g;
    begin *= unit;
    end = std::min(extent, end * unit);
    if (by_columns) {
      part.n = end - begin;
      part.b += begin * (g.transpose_b ? g.ldb : 1);
      part.c += begin;
    } else {
      part.m = end - begin;
      part.a += begin * (g.transpose_a ? 1 : g.lda);
      part.c += begin * g.ldc;
    }
    portable_gemm_serial(part);
  });
}

}  // namespace khost::kernels
#endif
