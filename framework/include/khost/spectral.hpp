// Spectra, and what is derived from them. Effective ranks never go without their estimator's name.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "khost/random.hpp"

namespace khost {

// exp(-sum p ln p), p = sigma / sum sigma (Roy & Vetterli 2007); sigma >= 0. `missing` (NaN) when all are zero.
double effective_rank(std::span<const double> sigma);

// Of a matrix W [m, n]: U [m, K], V [n, K], row-major, with orthonormal columns.
struct Basis {
  std::int64_t m = 0, n = 0, rank = 0;
  std::vector<float> U, V;
  std::vector<double> sigma;  // descending; empty for a basis that has none (random)
};

// Both have the prefix property: the first k columns of a basis of rank K are, bit for bit, the basis of rank k. Both run in
// double on the caller's thread and do not depend on the compute backend. They throw a usage Error unless 0 <= K <= min(m, n).

// The leading K singular triplets of W [m, n], row-major, from the Gram matrix of the smaller side. The sign of each pair is
// fixed: the entry of V's column with the largest magnitude is positive, and u' W v >= 0. Columns stay orthonormal when W is
// rank-deficient. Throws a trial Error when W holds a NaN or an infinity.
Basis svd_basis(std::span<const float> W, std::int64_t m, std::int64_t n, std::int64_t K);

// U and V with orthonormal columns, Haar-distributed and independent of each other: Gram-Schmidt on Gaussian columns, which is
// their QR decomposition with R's diagonal positive (Mezzadri 2007). Draws column j of U, then column j of V, for j from 0.
Basis random_basis(std::int64_t m, std::int64_t n, std::int64_t K, Random& random);

}  // namespace khost
