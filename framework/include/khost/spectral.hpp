// Spectra, and what is derived from them. Effective ranks never go without their estimator's name. From any thread, several at
// once; what is returned is the caller's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "khost/random.hpp"
#include "khost/state.hpp"
#include "khost/tensor.hpp"

namespace khost {

// How many directions carry a spectrum, by four estimators; sigma >= 0, in any order. Each is n for n equal values, 1 for a
// single non-zero one, and `missing` (NaN) when all are zero.

// exp(-sum p ln p), p = sigma / sum sigma (Roy & Vetterli 2007, "The effective rank").
double effective_rank(std::span<const double> sigma);
// The same of p = sigma^2 / sum sigma^2: the exponential of the entropy of the energy (the "number of states" of Campbell 1966).
// Never above effective_rank.
double effective_rank_squared(std::span<const double> sigma);
// (sum sigma^2)^2 / sum sigma^4, of the energies sigma^2 (Bell & Dean 1970). Never above effective_rank_squared.
double participation_ratio(std::span<const double> sigma);
// sum sigma^2 / max sigma^2, ||W||_F^2 / ||W||_2^2 (Rudelson & Vershynin 2007). Never above participation_ratio.
double stable_rank(std::span<const double> sigma);

// All min(m, n) singular values of W [m, n], row-major, descending, on the caller's thread. They are the square roots of the
// eigenvalues of the smaller side's Gram matrix: each is right to about 1e-12 of the largest where it is above 1e-4 of it, and
// what is below 1e-7 of it is not told from 0. Throws a trial Error when W holds a NaN or an infinity.
std::vector<double> singular_values(std::span<const float> W, std::int64_t m, std::int64_t n);

// singular_values of each, over the trial's threads.
std::vector<std::vector<double>> spectra(std::span<const ArrayView> matrices);

// U' W V of the first K columns of U [m, >= K] and V [n, >= K]: [K, K], row-major, summed in double, on the caller's thread. Its
// leading k x k part is, bit for bit, that of any smaller K.
std::vector<double> project(const ArrayView& W, const ArrayView& U, const ArrayView& V, std::int64_t K);

// Of a matrix W [m, n]: U [m, K], V [n, K], row-major, with orthonormal columns.
struct Basis {
  std::int64_t m = 0, n = 0, rank = 0;
  std::vector<float> U, V;
  std::vector<double> sigma;  // descending; empty for a basis that has none (random)
  void state(State& s) { s(m, n, rank, U, V, sigma); }
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
