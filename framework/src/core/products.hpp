// Products of f32 matrices, summed in double. Each entry's sum runs in one order, whatever the sizes of the product, the
// instruction set and the threads; and where both factors are f32 their products are exact in double, so that the result is the
// same, bit for bit, on every processor.
#pragma once

#include <cstdint>

namespace khost {

// Entry (p, i) of a matrix is at data[p * step_depth + i * step]: one of the two is given.
struct Factor {
  const float* f32 = nullptr;
  const double* f64 = nullptr;
  std::int64_t step_depth = 0, step = 0;
};

// out [rows, cols], row-major, = X' Y of X [depth, rows] and Y [depth, cols].
void product(std::int64_t depth, const Factor& X, std::int64_t rows, const Factor& Y, std::int64_t cols, double* out);

// out [size, size] = X' X of X [depth, size], both triangles.
void gram(std::int64_t depth, const Factor& X, std::int64_t size, double* out);

}  // namespace khost
