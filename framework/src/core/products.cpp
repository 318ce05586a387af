#include "core/products.hpp"

#include <algorithm>
#include <vector>

#include "khost/tensor.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/products.cpp"
#define HWY_DISABLED_TARGETS \
  (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)  // their vectors cannot be array elements
#include <hwy/foreach_target.h>
// foreach_target comes first
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
constexpr std::int64_t lanes = HWY_LANES(double) < 8 ? HWY_LANES(double) : 8;
using D = hn::FixedTag<double, lanes>;
constexpr std::int64_t panel = 16;                     // columns of a packed panel, on every instruction set
constexpr std::int64_t tile_rows = lanes < 8 ? 4 : 8;  // with two vectors a row: 8 or 16 sums in registers
static_assert(panel % tile_rows == 0 && panel % (2 * lanes) == 0);

// c [panel, panel] += x' y of two packed panels [depth, panel].
void AddPanels(std::int64_t depth, const double* HWY_RESTRICT x, const double* HWY_RESTRICT y, double* HWY_RESTRICT c,
               std::int64_t ldc) {
  const D d;
  for (std::int64_t j = 0; j < panel; j += 2 * lanes) {
    for (std::int64_t i = 0; i < panel; i += tile_rows) {
      hn::Vec<D> s0[tile_rows], s1[tile_rows];
      for (std::int64_t r = 0; r < tile_rows; ++r) s0[r] = s1[r] = hn::Zero(d);
      for (std::int64_t p = 0; p < depth; ++p) {
        const auto y0 = hn::LoadU(d, y + p * panel + j), y1 = hn::LoadU(d, y + p * panel + j + lanes);
        const double* from = x + p * panel + i;
#pragma GCC unroll 8
        for (std::int64_t r = 0; r < tile_rows; ++r) {
          const auto value = hn::Set(d, from[r]);
          s0[r] = hn::MulAdd(value, y0, s0[r]);
          s1[r] = hn::MulAdd(value, y1, s1[r]);
        }
      }
      double* to = c + i * ldc + j;
      for (std::int64_t r = 0; r < tile_rows; ++r, to += ldc) {
        hn::StoreU(hn::Add(hn::LoadU(d, to), s0[r]), d, to);
        hn::StoreU(hn::Add(hn::LoadU(d, to + lanes), s1[r]), d, to + lanes);
      }
    }
  }
}

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace khost {
namespace kernels {
namespace {
HWY_EXPORT(AddPanels);

void add_panels(std::int64_t depth, const double* x, const double* y, double* c, std::int64_t ldc) {
  HWY_DYNAMIC_DISPATCH(AddPanels)(depth, x, y, c, ldc);
}
}  // namespace
}  // namespace kernels
namespace {

constexpr std::int64_t panel = 16, block_depth = 128, block_rows = 256;  // packed blocks: 256 KiB of X

std::int64_t whole_panels(std::int64_t n) { return (n + panel - 1) / panel * panel; }

template <class T>
void pack_panel(const T* from, const Factor& f, std::int64_t depth, std::int64_t count, double* out) {
  if (count < panel) std::fill_n(out, depth * panel, 0.0);
  if (f.step == 1) {
    for (std::int64_t p = 0; p < depth; ++p)
      for (std::int64_t i = 0; i < count; ++i) out[p * panel + i] = static_cast<double>(from[p * f.step_depth + i]);
  } else {
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t p = 0; p < depth; ++p) out[p * panel + i] = static_cast<double>(from[i * f.step + p * f.step_depth]);
  }
}

// Columns first .. first + count of f, depths p0 .. p0 + depth, panel after panel; missing columns are 0.
void pack(const Factor& f, std::int64_t p0, std::int64_t depth, std::int64_t first, std::int64_t count, double* out) {
  for (std::int64_t i = 0; i < count; i += panel, out += depth * panel) {
    const std::int64_t at = p0 * f.step_depth + (first + i) * f.step, width = std::min(panel, count - i);
    if (f.f32)
      pack_panel(f.f32 + at, f, depth, width, out);
    else
      pack_panel(f.f64 + at, f, depth, width, out);
  }
}

std::vector<double> room(std::int64_t a, std::int64_t b) {
  return std::vector<double>(static_cast<std::size_t>(checked_product({a, b})));
}

}  // namespace

void product(std::int64_t depth, const Factor& X, std::int64_t rows, const Factor& Y, std::int64_t cols, double* out) {
  const std::int64_t width = whole_panels(cols);
  std::vector<double> x = room(block_rows, block_depth), y = room(width, block_depth), sums = room(block_rows, width);
  for (std::int64_t first = 0; first < rows; first += block_rows) {
    const std::int64_t count = std::min(block_rows, rows - first);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::int64_t p = 0; p < depth; p += block_depth) {
      const std::int64_t deep = std::min(block_depth, depth - p);
      pack(X, p, deep, first, count, x.data());
      pack(Y, p, deep, 0, cols, y.data());
      for (std::int64_t i = 0; i < count; i += panel)
        for (std::int64_t j = 0; j < cols; j += panel)
          kernels::add_panels(deep, x.data() + i * deep, y.data() + j * deep, sums.data() + i * width + j, width);
    }
    for (std::int64_t i = 0; i < count; ++i) std::copy_n(sums.data() + i * width, cols, out + (first + i) * cols);
  }
}

void gram(std::int64_t depth, const Factor& X, std::int64_t size, double* out) {
  const std::int64_t width = whole_panels(size);
  std::vector<double> x = room(width, block_depth), sums = room(width, width);
  for (std::int64_t p = 0; p < depth; p += block_depth) {
    const std::int64_t deep = std::min(block_depth, depth - p);
    pack(X, p, deep, 0, size, x.data());
    for (std::int64_t i = 0; i < size; i += panel)
      for (std::int64_t j = 0; j <= i; j += panel)
        kernels::add_panels(deep, x.data() + i * deep, x.data() + j * deep, sums.data() + i * width + j, width);
  }
  for (std::int64_t i = 0; i < size; ++i)
    for (std::int64_t j = 0; j <= i; ++j) out[i * size + j] = out[j * size + i] = sums[static_cast<std::size_t>(i * width + j)];
}

}  // namespace khost
#endif
