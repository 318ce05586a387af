// Spectra, and what is derived from them. Effective ranks never go without their estimator's name.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace khost {

// exp(-sum p ln p), p = sigma / sum sigma (Roy & Vetterli 2007). `missing` when all are zero.
double effective_rank(std::span<const double> sigma);

// The leading K singular triplets of W [m, n], row-major: U [m, K], V [n, K] row-major with orthonormal columns, sigma
// descending.
struct Basis {
  std::int64_t m = 0, n = 0, rank = 0;
  std::vector<float> U, V;
  std::vector<double> sigma;  // empty for a basis that has none (random)
};

// Computed in double from the Gram matrix of the smaller side, whatever the compute backend. The sign of each pair is fixed:
// the entry of V's column with the largest magnitude is positive. K <= min(m, n). Columns stay orthonormal when W is
// rank-deficient.
Basis svd_basis(std::span<const float> W, std::int64_t m, std::int64_t n, std::int64_t K);

}  // namespace khost
