// Does a library multiply rightly? Asked by plugins that choose or are given one, before the host's own check of what they
// became.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "split.hpp"

namespace khost::blas {

// Products of whole numbers, which any order of sums gives exactly: with rows apart, transposed and accumulated, on the calling
// thread alone. Old builds compute wrong ones on some newer CPUs. `sgemm` is a cblas_sgemm with 32-bit sizes.
template <class Order, class Transpose, class Sgemm>
bool multiplies(Sgemm* sgemm) {
  static constexpr std::int64_t gap = 1;  // between rows
  static constexpr float between = -7;
  const OneThread one;
  const auto matrix = [](std::int64_t rows, std::int64_t cols, std::int64_t seed) {
    std::vector<float> values(static_cast<std::size_t>(rows * (cols + gap)), between);
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < cols; ++j)
        values[static_cast<std::size_t>(i * (cols + gap) + j)] = static_cast<float>((i * 7 + j * 5 + i * j + seed) % 9 - 4);
    return values;
  };
  for (const auto& [m, n, k] :
       std::vector<std::array<std::int64_t, 3>>{{1, 1, 1}, {2, 2, 3}, {17, 33, 65}, {127, 256, 64}, {64, 1024, 127}})
    for (const int transposes : {0, 1, 2, 3}) {
      const bool ta = transposes & 1, tb = transposes & 2;
      const std::vector<float> a = ta ? matrix(k, m, 1) : matrix(m, k, 1), b = tb ? matrix(n, k, 2) : matrix(k, n, 2);
      std::vector<float> c = matrix(m, n, 3), expected = c;
      const std::int64_t lda = (ta ? m : k) + gap, ldb = (tb ? k : n) + gap, ldc = n + gap;
      for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t l = 0; l < k; ++l) {
          const float x = 2 * a[static_cast<std::size_t>(ta ? l * lda + i : i * lda + l)];
          for (std::int64_t j = 0; j < n; ++j)
            expected[static_cast<std::size_t>(i * ldc + j)] += x * b[static_cast<std::size_t>(tb ? j * ldb + l : l * ldb + j)];
        }
      cblas_gemm<Order, Transpose>(sgemm, {ta, tb, m, n, k, 2, a.data(), lda, b.data(), ldb, 1, c.data(), ldc});
      if (c != expected) return false;
    }
  return true;
}

}  // namespace khost::blas
