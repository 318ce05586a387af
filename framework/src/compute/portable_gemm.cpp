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
constexpr std::int64_t lanes = HWY_LANES(float) < 16 ? HWY_LANES(float) : 16;
constexpr std::int64_t tile_cols = 2 * lanes;
constexpr std::int64_t block_rows = 96, block_depth = 256,
                       block_cols = 128;  // packed blocks: 96 KiB of A, 128 KiB of B, on the stack
static_assert(block_rows % tile_rows == 0 && tile_rows % 3 == 0 && block_cols % tile_cols == 0);

// A of one product's tile as the tile reads it: the element of row r and depth p is values[r * row + p * depth].
struct Panel {
  const float* values;
  std::int64_t row, depth;
};

// In panels of tile_rows, `depth` columns each: panel after panel, depth after depth, row after row; missing rows are 0.
void pack_a(const Panel& from, std::int64_t rows, std::int64_t depth, float* out) {
  for (std::int64_t i = 0; i < rows; i += tile_rows, out += tile_rows * depth) {
    const std::int64_t n = std::min(tile_rows, rows - i);
    if (n < tile_rows) std::fill_n(out, tile_rows * depth, 0.0f);
    for (std::int64_t p = 0; p < depth; ++p)
      for (std::int64_t r = 0; r < n; ++r) out[p * tile_rows + r] = from.values[(i + r) * from.row + p * from.depth];
  }
}

// out[p * tile_cols + c] = from[c * ld + p] for 4 columns c and 4 depths p.
HWY_INLINE void transpose_4x4(const float* from, std::int64_t ld, float* out) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t c = 0; c < 4; ++c)
    for (std::int64_t p = 0; p < 4; ++p) out[p * tile_cols + c] = from[c * ld + p];
#else
  const hn::FixedTag<float, 4> d;
  const hn::RepartitionToWide<decltype(d)> wide;
  const auto r0 = hn::LoadU(d, from), r1 = hn::LoadU(d, from + ld), r2 = hn::LoadU(d, from + 2 * ld),
             r3 = hn::LoadU(d, from + 3 * ld);
  const auto lower = [&](auto a, auto b) HWY_ATTR { return hn::BitCast(wide, hn::InterleaveLower(d, a, b)); };
  const auto upper = [&](auto a, auto b) HWY_ATTR { return hn::BitCast(wide, hn::InterleaveUpper(d, a, b)); };
  const auto l0 = lower(r0, r1), l1 = lower(r2, r3), u0 = upper(r0, r1), u1 = upper(r2, r3);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, l0, l1)), d, out);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, l0, l1)), d, out + tile_cols);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, u0, u1)), d, out + 2 * tile_cols);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, u0, u1)), d, out + 3 * tile_cols);
#endif
}

// Columns j0 .. of op(B), depth p0 .., in panels of tile_cols: panel after panel, depth after depth, column after column; missing
// columns are 0.
void pack_b(const khost_gemm& g, std::int64_t j0, std::int64_t cols, std::int64_t p0, std::int64_t depth, float* out) {
  for (std::int64_t j = 0; j < cols; j += tile_cols, out += tile_cols * depth) {
    const std::int64_t n = std::min(tile_cols, cols - j);
    if (n < tile_cols) std::fill_n(out, tile_cols * depth, 0.0f);
    if (g.transpose_b) {
      const float* from = g.b + (j0 + j) * g.ldb + p0;
      std::int64_t c = 0;
      for (; c + 4 <= n; c += 4) {
        std::int64_t p = 0;
        for (; p + 4 <= depth; p += 4) transpose_4x4(from + c * g.ldb + p, g.ldb, out + p * tile_cols + c);
        for (; p < depth; ++p)
          for (std::int64_t q = c; q < c + 4; ++q) out[p * tile_cols + q] = from[q * g.ldb + p];
      }
      for (; c < n; ++c)
        for (std::int64_t p = 0; p < depth; ++p) out[p * tile_cols + c] = from[c * g.ldb + p];
    } else {
      const float* from = g.b + p0 * g.ldb + j0 + j;
      for (std::int64_t p = 0; p < depth; ++p)
        std::memcpy(out + p * tile_cols, from + p * g.ldb, static_cast<std::size_t>(n) * sizeof(float));
    }
  }
}

// out [tile_rows, tile_cols] = alpha (rows of A)(panel of B)
HWY_INLINE void tile(std::int64_t depth, const Panel& panel, const float* HWY_RESTRICT b, float alpha, float* HWY_RESTRICT out) {
  const D d;
  V s0[tile_rows], s1[tile_rows];
  for (std::int64_t r = 0; r < tile_rows; ++r) s0[r] = s1[r] = hn::Zero(d);
  // Rows by threes from a pointer each: a pointer for every row would not fit the registers that are there for them.
  const std::int64_t row = panel.row;
  const float* rows[tile_rows / 3];
  for (std::int64_t i = 0; i < tile_rows / 3; ++i) rows[i] = panel.values + 3 * i * row;
  for (std::int64_t p = 0; p < depth; ++p, b += tile_cols) {
    const V b0 = hn::LoadU(d, b), b1 = hn::LoadU(d, b + lanes);
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < tile_rows / 3; ++i) {
#pragma GCC unroll 3
      for (std::int64_t r = 0; r < 3; ++r) {
        const V x = hn::Set(d, rows[i][r * row]);
        s0[3 * i + r] = hn::MulAdd(x, b0, s0[3 * i + r]);
        s1[3 * i + r] = hn::MulAdd(x, b1, s1[3 * i + r]);
      }
      rows[i] += panel.depth;
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
  const std::int64_t row = g.transpose_a ? 1 : g.lda, along = g.transpose_a ? g.lda : 1;
  // Each depth of A' is a cache line of its own: laid out once it pays where tiles read it more often than twice.
  const bool packs = g.transpose_a && g.n > 2 * tile_cols;
  for (std::int64_t j0 = 0; j0 < g.n; j0 += block_cols) {
    const std::int64_t cols = std::min(block_cols, g.n - j0);
    for (std::int64_t p0 = 0; p0 < g.k; p0 += block_depth) {
      const std::int64_t depth = std::min(block_depth, g.k - p0);
      const float beta = p0 == 0 ? g.beta : 1.0f;
      pack_b(g, j0, cols, p0, depth, b);
      for (std::int64_t i0 = 0; i0 < g.m; i0 += block_rows) {
        const std::int64_t rows = std::min(block_rows, g.m - i0);
        const Panel block{g.a + i0 * row + p0 * along, row, along};
        const std::int64_t direct = packs ? 0 : rows / tile_rows * tile_rows;  // rows that tiles read where they are
        pack_a({block.values + direct * row, row, along}, rows - direct, depth, a);
        for (std::int64_t j = 0; j < cols; j += tile_cols) {
          for (std::int64_t i = 0; i < rows; i += tile_rows) {
            const Panel here =
                i < direct ? Panel{block.values + i * row, row, along} : Panel{a + (i - direct) * depth, 1, tile_rows};
            tile(depth, here, b + j * depth, g.alpha, out);
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
