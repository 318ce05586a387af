// What noise alone would give: draws for Probe::null(), and closed forms to hold them against. From any thread, each with a
// NullDraw or Random of its own; what is returned is the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "khost/probe.hpp"

namespace khost::nulls {

// The probe's own begin(), observe() and conclude() on a trial in which every entry of every alpha gradient is an independent
// standard normal draw, of each step where batches are fresh, else of the one batch that all steps share, and of each independent
// batch; alphas are 0. What the probe records is the draw, so that the
// null is of the same statistic, in the same order of averages, as the figure. For probes that read alpha.grad alone: another
// signal, or a loss, is a plugin Error.
void iid_gradients(Probe& probe, NullDraw& draw);

// Singular values, descending, of an [m, n] matrix of iid standard normals. Drawn as those of a bidiagonal matrix of chi variates
// with the same ones (Dumitriu & Edelman 2002): of no more than 2 min(m, n) numbers.
std::vector<double> iid_spectrum(std::int64_t m, std::int64_t n, Random& random);

// Singular values of an adapter core's gradient, of iid standard normals: their magnitudes for K of them, for a block core those
// of a [K, K] matrix, picked from a pool of 5,000.
std::vector<double> core_spectrum(std::int64_t K, NullDraw& draw);

// Singular values, descending, of G = A'B with iid standard normal A [tokens, m] and B [tokens, n]: a weight gradient of so many
// tokens that have nothing in common. Drawn through triangular factors (Bartlett) of the least of the three sizes, so that no
// m x n matrix is made.
std::vector<double> token_product_spectrum(std::int64_t tokens, std::int64_t m, std::int64_t n, Random& random);

// U'GV [K, K], row-major, relative to ||G||_F = 1, of G = A'B as above and U [m, K], V [n, K] Haar-distributed and independent of
// it: what a random basis sees of a gradient.
std::vector<double> random_block(std::int64_t tokens, std::int64_t m, std::int64_t n, std::int64_t K, Random& random);

// What a trial's loss would rise by when dims k and beyond of every matrix go, for k = 0 .. K, if dims were exchangeable: every
// alpha, or entry of a block, takes an independent exponential share of the loss. K is the largest rank; entry K is 0. One draw
// serves every `keep`: share(keep) = tails[keep] / tails[2].
std::vector<double> exchangeable_tails(const TrialInfo& trial, Random& random);

// Effective rank / K of K iid entries as K grows: Gaussian sqrt(2/pi) exp(-(ln 2 - gamma)/2), Laplace exp(gamma - 1).
double gaussian_rank_share();
double laplace_rank_share();
// RMS of ||U'GV||_F / ||G||_F for a random basis, whatever G: K / sqrt(mn); of its diagonal: sqrt(K) / sqrt(mn).
double block_coverage(std::int64_t m, std::int64_t n, std::int64_t K);
double diagonal_coverage(std::int64_t m, std::int64_t n, std::int64_t K);
// Mean of exchangeable_tails(): tails[keep] / tails[2] is near (K - keep) / (K - 2), of a block (K^2 - keep^2) / (K^2 - 4).
double exchangeable_share(std::int64_t K, std::int64_t keep, bool block = false);
// sd of the cosine of two independent gradients in K dims: 1 / sqrt(K).
double cosine_sd(std::int64_t K);

}  // namespace khost::nulls
