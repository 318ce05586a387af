#include "khost/spectral.hpp"

#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <utility>

#include "khost/error.hpp"
#include "khost/parallel.hpp"

using namespace khost;
using Matrix = Eigen::MatrixXd;
using RowMajorF = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace {

std::vector<float> gaussian(std::int64_t m, std::int64_t n, std::uint64_t seed = 1) {
  std::vector<float> W(static_cast<std::size_t>(m * n));
  Random(seed, "spectral", "test").normal(W, 0.02);
  return W;
}

// A [m, r] B [r, n], rank r but for the rounding to f32.
std::vector<float> low_rank(std::int64_t m, std::int64_t n, std::int64_t r) {
  const auto a = gaussian(m, r, 2), b = gaussian(r, n, 3);
  std::vector<float> W(static_cast<std::size_t>(m * n));
  Eigen::Map<RowMajorF>(W.data(), m, n) =
      (Eigen::Map<const RowMajorF>(a.data(), m, r).cast<double>() * Eigen::Map<const RowMajorF>(b.data(), r, n).cast<double>())
          .cast<float>();
  return W;
}

Matrix matrix(const std::vector<float>& values, std::int64_t m, std::int64_t n) {
  return Eigen::Map<const RowMajorF>(values.data(), m, n).cast<double>();
}

double distance_from_orthonormal(const Matrix& Q) {
  return Q.cols() == 0 ? 0 : (Q.transpose() * Q - Matrix::Identity(Q.cols(), Q.cols())).cwiseAbs().maxCoeff();
}

void check_prefix(const Basis& small, const Basis& large) {
  for (std::int64_t k = 0; k < small.rank; ++k) {
    bool same = true;
    for (std::int64_t i = 0; i < small.m; ++i)
      same &= small.U[static_cast<std::size_t>(i * small.rank + k)] == large.U[static_cast<std::size_t>(i * large.rank + k)];
    for (std::int64_t i = 0; i < small.n; ++i)
      same &= small.V[static_cast<std::size_t>(i * small.rank + k)] == large.V[static_cast<std::size_t>(i * large.rank + k)];
    if (!small.sigma.empty()) same &= small.sigma[static_cast<std::size_t>(k)] == large.sigma[static_cast<std::size_t>(k)];
    CHECK_MESSAGE(same, "column ", k);
  }
}

void check_svd(const std::vector<float>& W, std::int64_t m, std::int64_t n, std::int64_t K) {
  CAPTURE(m);
  CAPTURE(n);
  const Basis b = svd_basis(W, m, n, K);
  const Matrix A = matrix(W, m, n), U = matrix(b.U, m, K), V = matrix(b.V, n, K);
  CHECK(distance_from_orthonormal(U) < 1e-6);
  CHECK(distance_from_orthonormal(V) < 1e-6);

  const Eigen::JacobiSVD<Matrix> reference(A);
  const double scale = std::max(reference.singularValues()(0), 1e-300);
  for (std::int64_t k = 0; k < K; ++k) {
    const double expected = reference.singularValues()(k);
    // A Gram matrix squares the values: what is below the square root of double's precision is not told apart.
    CHECK(std::abs(b.sigma[static_cast<std::size_t>(k)] - expected) < (expected > 1e-4 * scale ? 1e-12 : 1e-8) * scale);
    Eigen::Index largest = 0;
    V.col(k).cwiseAbs().maxCoeff(&largest);
    CHECK(V(largest, k) > 0);
  }
  CHECK(std::is_sorted(b.sigma.rbegin(), b.sigma.rend()));
  // U' W V = diag(sigma): pairs belong together, and with the right sign.
  const Matrix core = U.transpose() * A * V;
  for (std::int64_t i = 0; i < K; ++i)
    for (std::int64_t j = 0; j < K; ++j) {
      const double expected = i == j ? reference.singularValues()(i) : 0;
      CHECK(std::abs(core(i, j) - expected) < 1e-6 * scale);
    }
}

}  // namespace

TEST_CASE("effective rank of flat, one-hot and two-level spectra") {
  CHECK(effective_rank(std::vector<double>(37, 0.25)) == doctest::Approx(37));
  CHECK(effective_rank(std::vector<double>{0, 3, 0, 0}) == doctest::Approx(1));
  // p = 1/2, 1/4, 1/4: entropy 1.5 ln 2
  CHECK(effective_rank(std::vector<double>{2, 1, 1}) == doctest::Approx(std::pow(2.0, 1.5)));
  CHECK(effective_rank(std::vector<double>{2e-200, 1e-200, 1e-200}) == doctest::Approx(std::pow(2.0, 1.5)));
  CHECK(std::isnan(effective_rank(std::vector<double>{0, 0})));
  CHECK(std::isnan(effective_rank(std::vector<double>{})));
}

TEST_CASE("the other estimators: n for n equal values, 1 for one, and in order for any spectrum") {
  using Estimator = double (*)(std::span<const double>);
  const Estimator all[] = {effective_rank, effective_rank_squared, participation_ratio, stable_rank};
  for (const Estimator rank : all) {
    CHECK(rank(std::vector<double>(37, 0.25)) == doctest::Approx(37));
    CHECK(rank(std::vector<double>{0, 3, 0, 0}) == doctest::Approx(1));
    CHECK(std::isnan(rank(std::vector<double>{0, 0})));
    CHECK(std::isnan(rank(std::vector<double>{})));
    for (const double scale : {1.0, 1e-200, 1e200}) {  // squares that a double cannot hold
      CAPTURE(scale);
      const std::vector<double> sigma{scale, 2 * scale, scale};  // squares 1, 4, 1
      const double entropy = std::log(6.0) - 4 * std::log(4.0) / 6;
      const double expected = rank == effective_rank           ? std::pow(2.0, 1.5)
                              : rank == effective_rank_squared ? std::exp(entropy)
                              : rank == participation_ratio    ? 36.0 / 18
                                                               : 6.0 / 4;
      CHECK(rank(sigma) == doctest::Approx(expected));
    }
  }
  Random random(4, "test", "estimators");
  for (int draw = 0; draw < 50; ++draw) {
    std::vector<double> sigma(20);
    for (double& s : sigma) s = std::exp(random.normal());
    for (std::size_t i = 1; i < std::size(all); ++i) CHECK(all[i](sigma) < all[i - 1](sigma));
  }
}

TEST_CASE("singular values agree with a Jacobi SVD; those of a null space are 0 but for rounding") {
  const auto check = [](const std::vector<float>& W, std::int64_t m, std::int64_t n) {
    CAPTURE(m);
    CAPTURE(n);
    const std::vector<double> sigma = singular_values(W, m, n);
    const Eigen::VectorXd expected = Eigen::JacobiSVD<Matrix>(matrix(W, m, n)).singularValues();
    REQUIRE(std::ssize(sigma) == std::min(m, n));
    CHECK(std::is_sorted(sigma.rbegin(), sigma.rend()));
    for (std::size_t k = 0; k < sigma.size(); ++k) {
      const double want = expected(static_cast<Eigen::Index>(k)), scale = expected(0);
      CHECK(std::abs(sigma[k] - want) <= (want > 1e-4 * scale ? 1e-12 : 1e-7) * scale);
    }
  };
  // Around the blocks of the Gram kernel: 16 columns, 128 deep.
  for (const auto& [m, n] : {std::pair{37, 23}, {23, 37}, {128, 16}, {129, 17}, {16, 300}, {1, 7}, {7, 1}, {1, 1}, {300, 65}})
    check(gaussian(m, n), m, n);
  check(low_rank(50, 31, 7), 50, 31);
  check(low_rank(31, 290, 7), 31, 290);
  check(std::vector<float>(12 * 9, 0.0f), 12, 9);
  CHECK(singular_values({}, 0, 5).empty());
  CHECK_THROWS_WITH_AS(singular_values(gaussian(6, 4), 6, 5), "singular_values: 24 values are not a matrix [6, 5]", Error);

  auto broken = gaussian(6, 4);
  broken[7] = std::numeric_limits<float>::infinity();
  const auto good = gaussian(9, 30), identity = std::vector<float>{2, 0, 0, 2};
  const std::vector<ArrayView> some{{DType::f32, good.data(), {9, 30}}, {DType::f32, identity.data(), {2, 2}}};
  const auto both = spectra(some);
  CHECK(both[0] == singular_values(good, 9, 30));
  CHECK(both[1] == std::vector<double>{2, 2});
  CHECK_THROWS_WITH_AS(spectra(std::vector<ArrayView>{some[0], {DType::f32, broken.data(), {6, 4}}}),
                       "no singular values: entry [1, 3] of a matrix [6, 4] is inf", Error);
}

TEST_CASE("project gives U' W V, and of a smaller rank just its beginning") {
  for (const auto& [m, n, width] : {std::array<std::int64_t, 3>{300, 70, 21}, {19, 290, 19}, {3, 2, 2}}) {
    const auto W = gaussian(m, n), u = gaussian(m, width, 4), v = gaussian(n, width, 5);
    const ArrayView G{DType::f32, W.data(), {m, n}}, U{DType::f32, u.data(), {m, width}}, V{DType::f32, v.data(), {n, width}};
    const auto whole = project(G, U, V, width);
    const Matrix expected = matrix(u, m, width).transpose() * matrix(W, m, n) * matrix(v, n, width);
    double worst = 0;
    for (std::int64_t i = 0; i < width; ++i)
      for (std::int64_t j = 0; j < width; ++j)
        worst = std::max(worst, std::abs(whole[static_cast<std::size_t>(i * width + j)] - expected(i, j)));
    CHECK(worst < 1e-13 * expected.cwiseAbs().maxCoeff());
    for (const std::int64_t K : {std::int64_t{1}, width / 2 + 1}) {
      const auto part = project(G, U, V, K);
      bool same = true;
      for (std::int64_t i = 0; i < K; ++i)
        for (std::int64_t j = 0; j < K; ++j)
          same &= part[static_cast<std::size_t>(i * K + j)] == whole[static_cast<std::size_t>(i * width + j)];
      CHECK(same);
    }
    CHECK_THROWS_AS(project(G, V, U, 1), Error);
    CHECK_THROWS_AS(project(G, U, V, width + 1), Error);
  }
}

TEST_CASE("tasks of unequal cost all run, and the lowest that failed is the one told of") {
  std::vector<std::int64_t> costs;
  for (std::int64_t i = 0; i < 57; ++i) costs.push_back(i * 37 % 11);
  std::vector<int> runs(costs.size());
  parallel_tasks(costs, [&](std::size_t i) { ++runs[i]; });
  CHECK(runs == std::vector<int>(costs.size(), 1));
  const auto failing = [&] {
    parallel_tasks(costs, [&](std::size_t i) {
      ++runs[i];
      if (i % 10 == 3) throw Error(ErrorKind::trial, "task " + std::to_string(i));
    });
  };
  CHECK_THROWS_WITH_AS(failing(), "task 3", Error);
  CHECK(runs == std::vector<int>(costs.size(), 2));
}

TEST_CASE("svd_basis agrees with a Jacobi SVD for odd shapes") {
  check_svd(gaussian(37, 23), 37, 23, 23);
  check_svd(gaussian(23, 37), 23, 37, 23);
  check_svd(gaussian(41, 41), 41, 41, 17);
  check_svd(gaussian(300, 19), 300, 19, 5);
  check_svd(gaussian(19, 601), 19, 601, 18);
  check_svd(gaussian(1, 7), 1, 7, 1);
  check_svd(gaussian(7, 1), 7, 1, 1);
  check_svd(gaussian(1, 1), 1, 1, 1);
}

TEST_CASE("svd_basis of rank-deficient matrices stays orthonormal") {
  check_svd(low_rank(50, 31, 7), 50, 31, 31);
  check_svd(low_rank(31, 50, 7), 31, 50, 31);
  check_svd(std::vector<float>(12 * 9, 0.0f), 12, 9, 9);  // nothing but null space
  check_svd(std::vector<float>(9 * 12, 1.0f), 9, 12, 9);  // rank 1 exactly
  std::vector<float> repeated = gaussian(20, 10);         // two equal columns
  for (std::size_t i = 0; i < 20; ++i) repeated[i * 10 + 3] = repeated[i * 10 + 7];
  check_svd(repeated, 20, 10, 10);
  std::vector<float> identity(16 * 16, 0.0f);  // all singular values equal
  for (std::size_t i = 0; i < 16; ++i) identity[i * 17] = 1;
  check_svd(identity, 16, 16, 16);
}

TEST_CASE("svd_basis at the rank rebuilds a low-rank matrix") {
  const auto W = low_rank(64, 33, 5);
  const Basis b = svd_basis(W, 64, 33, 5);
  const Matrix rebuilt =
      matrix(b.U, 64, 5) * Eigen::Map<const Eigen::VectorXd>(b.sigma.data(), 5).asDiagonal() * matrix(b.V, 33, 5).transpose();
  CHECK((rebuilt - matrix(W, 64, 33)).norm() < 1e-6 * matrix(W, 64, 33).norm());
}

TEST_CASE("a basis of rank k is the beginning of one of rank K, bit for bit") {
  const auto W = gaussian(301, 130);
  const auto wide = gaussian(97, 211);
  for (const std::int64_t k : {1, 7, 16, 32, 63}) {
    CAPTURE(k);
    check_prefix(svd_basis(W, 301, 130, k), svd_basis(W, 301, 130, 64));
    check_prefix(svd_basis(wide, 97, 211, k), svd_basis(wide, 97, 211, 97));
    Random a(5, "basis", "random"), b(5, "basis", "random");
    check_prefix(random_basis(301, 130, k, a), random_basis(301, 130, 64, b));
  }
}

TEST_CASE("random_basis is orthonormal and spread evenly") {
  Random random(3, "basis", "random");
  for (const auto& [m, n, K] : {std::array<std::int64_t, 3>{31, 12, 12}, {12, 31, 12}, {8, 8, 8}, {40, 40, 3}, {5, 5, 0}}) {
    const Basis b = random_basis(m, n, K, random);
    CHECK(distance_from_orthonormal(matrix(b.U, m, K)) < 1e-6);
    CHECK(distance_from_orthonormal(matrix(b.V, n, K)) < 1e-6);
    CHECK(b.sigma.empty());
  }
  // Haar: the entries of a square orthogonal matrix have mean 0 and variance 1/m, the diagonal included (a QR whose signs are
  // left alone has a diagonal that is not symmetric about 0), and the trace has mean 0 and variance 1.
  double trace = 0, trace2 = 0, first = 0, last2 = 0;
  const int draws = 4000, m = 4;
  for (int i = 0; i < draws; ++i) {
    const Matrix U = matrix(random_basis(m, m, m, random).U, m, m);
    trace += U.trace() / draws;
    trace2 += U.trace() * U.trace() / draws;
    first += U(0, 0) / draws;
    last2 += U(3, 3) * U(3, 3) / draws;
  }
  CHECK(std::abs(trace) < 4 / std::sqrt(draws));
  CHECK(trace2 == doctest::Approx(1).epsilon(0.1));
  CHECK(std::abs(first) < 2 / std::sqrt(draws));
  CHECK(last2 == doctest::Approx(0.25).epsilon(0.1));
}

TEST_CASE("bases refuse what has none") {
  const auto W = gaussian(6, 4);
  CHECK_THROWS_WITH_AS(svd_basis(W, 6, 4, 5), "a rank of 5 does not fit a matrix [6, 4]: at most 4", Error);
  CHECK_THROWS_WITH_AS(svd_basis(W, 6, 5, 2), "svd_basis: 24 values are not a matrix [6, 5]", Error);
  Random random(1, "a", "b");
  CHECK_THROWS_WITH_AS(random_basis(3, 9, -1, random), "a rank of -1 does not fit a matrix [3, 9]: at most 3", Error);
  auto broken = W;
  broken[4 * 2 + 1] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(svd_basis(broken, 6, 4, 2), "no singular values: entry [2, 1] of a matrix [6, 4] is nan", Error);
}
