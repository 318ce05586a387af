// What noise alone would give: draws for Probe::null(), and closed forms to hold them against.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "khost/probe.hpp"

namespace khost::nulls {

// The probe's own begin(), observe() and conclude() on a trial in which every entry of every alpha gradient is an independent
// standard normal draw, at each step and in each independent batch; alphas are 0. What the probe records is the draw, so that the
// null is of the same statistic, in the same order of averages, as the figure. For probes that read alpha.grad alone: another
// signal, or a loss, is a plugin Error.
void iid_gradients(Probe& probe, NullDraw& draw);

// Singular values, descending, of G = A'B with iid standard normal A [tokens, m] and B [tokens, n]: a weight gradient of so many
// tokens that have nothing in common. Drawn through the triangular factors of A and B (Bartlett), so that no m x n matrix is
// made.
std::vector<double> token_product_spectrum(std::int64_t tokens, std::int64_t m, std::int64_t n, Random& random);

// U'GV [K, K], row-major, relative to ||G||_F = 1, of G = A'B as above and U [m, K], V [n, K] Haar-distributed and independent of
// it: what a random basis sees of a gradient.
std::vector<double> random_block(std::int64_t tokens, std::int64_t m, std::int64_t n, std::int64_t K, Random& random);

// (L(keep) - L(K)) / (L(2) - L(K)) when every dim of every matrix takes an independent exponential share of the loss: dims are
// exchangeable, none is special. Its mean is near (K - keep) / (K - 2).
double exchangeable_share(std::int64_t matrices, std::int64_t K, std::int64_t keep, Random& random);

// Effective rank / K of K iid entries as K grows: Gaussian sqrt(2/pi) exp(-(ln 2 - gamma)/2), Laplace exp(gamma - 1).
double gaussian_rank_share();
double laplace_rank_share();
// RMS of ||U'GV||_F / ||G||_F for a random basis, whatever G: K / sqrt(mn); of its diagonal: sqrt(K) / sqrt(mn).
double block_coverage(std::int64_t m, std::int64_t n, std::int64_t K);
double diagonal_coverage(std::int64_t m, std::int64_t n, std::int64_t K);
// sd of the cosine of two independent gradients in K dims: 1 / sqrt(K).
double cosine_sd(std::int64_t K);

}  // namespace khost::nulls
