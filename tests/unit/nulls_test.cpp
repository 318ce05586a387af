#include "khost/nulls.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "khost/spectral.hpp"
#include "khost/testing.hpp"
#include "null_sample.hpp"

using namespace khost;

namespace {

double rank_of(std::vector<double> values) {
  for (double& v : values) v = std::abs(v);
  return effective_rank(values);
}

}  // namespace

TEST_CASE("nulls: in-basis effective rank of iid entries, closed form and draws") {
  CHECK(nulls::gaussian_rank_share() == doctest::Approx(0.75295).epsilon(1e-5));
  CHECK(nulls::laplace_rank_share() == doctest::Approx(0.65522).epsilon(1e-5));
  Random random(1, "rank", "test");
  // Finite K is biased upward: 0.779 K at 8, 0.759 K at 32, 0.754 K at 128; sd 0.046 K at 32.
  for (const auto& at : {std::pair{8, 0.779}, {32, 0.759}, {128, 0.754}}) {
    const int K = at.first;
    const double share = at.second;
    CAPTURE(K);
    Sample mean;
    for (int draw = 0; draw < 4000; ++draw) {
      std::vector<double> g(static_cast<std::size_t>(K));
      for (double& v : g) v = random.normal();
      mean.add(rank_of(g) / K);
    }
    CHECK(std::abs(mean.value() - share) < 0.0005 + 4 * mean.error());
    CHECK(mean.value() > nulls::gaussian_rank_share() - 4 * mean.error());
    if (K == 32) CHECK(mean.sd() == doctest::Approx(0.046).epsilon(0.05));
  }
  Sample laplace;
  for (int draw = 0; draw < 200; ++draw) {
    std::vector<double> g(4096);
    for (double& v : g) v = std::log1p(-random.uniform());
    laplace.add(rank_of(g) / 4096);
  }
  CHECK(laplace.value() == doctest::Approx(nulls::laplace_rank_share()).epsilon(0.002));
}

TEST_CASE("nulls: the spectrum of a token product is that of the product itself") {
  // The same statistic of explicit products A'B and of the drawn spectra, for shapes on both sides of the number of tokens.
  for (const auto& size : {std::array<std::int64_t, 3>{9, 14, 12}, {16, 7, 30}, {12, 5, 8}, {12, 8, 5}, {40, 6, 6}}) {
    const std::int64_t tokens = size[0], m = size[1], n = size[2];
    CAPTURE(tokens);
    CAPTURE(m);
    Random random(2, "tokens", "test");
    Sample drawn, direct, drawn_top, direct_top;
    for (int draw = 0; draw < 1500; ++draw) {
      const std::vector<double> sigma = nulls::token_product_spectrum(tokens, m, n, random);
      std::vector<double> A(static_cast<std::size_t>(tokens * m)), B(static_cast<std::size_t>(tokens * n));
      for (auto* side : {&A, &B})
        for (double& v : *side) v = random.normal();
      std::vector<float> G(static_cast<std::size_t>(m * n));
      for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (std::int64_t t = 0; t < tokens; ++t)
            sum += A[static_cast<std::size_t>(t * m + i)] * B[static_cast<std::size_t>(t * n + j)];
          G[static_cast<std::size_t>(i * n + j)] = static_cast<float>(sum);
        }
      const std::vector<double> own = svd_basis(G, m, n, std::min(m, n)).sigma;
      drawn.add(effective_rank(sigma)), direct.add(effective_rank(own));
      drawn_top.add(sigma.front()), direct_top.add(own.front());
    }
    CHECK(std::abs(drawn.value() - direct.value()) < 4 * std::hypot(drawn.error(), direct.error()));
    CHECK(std::abs(drawn_top.value() - direct_top.value()) < 4 * std::hypot(drawn_top.error(), direct_top.error()));
    CHECK(drawn.sd() == doctest::Approx(direct.sd()).epsilon(0.12));
  }
}

TEST_CASE("nulls: 127 tokens give an effective rank of 109 to 116, whatever the papers' shapes") {
  Random random(3, "paper", "test");
  for (const auto& size : {std::array<std::int64_t, 2>{256, 256}, {768, 256}, {1024, 256}, {15007, 256}}) {
    const std::int64_t m = size[0], n = size[1];
    CAPTURE(m);
    const double rank = effective_rank(nulls::token_product_spectrum(127, m, n, random));
    CHECK(rank > 105);
    CHECK(rank < 118);
  }
}

TEST_CASE("nulls: coverage of a random basis in RMS is K / sqrt(mn), of its diagonal sqrt(K) / sqrt(mn)") {
  Random random(4, "coverage", "test");
  for (const auto& size : {std::array<std::int64_t, 4>{10, 24, 20, 6}, {40, 16, 33, 16}, {40, 33, 16, 8}, {3, 50, 8, 4}}) {
    const std::int64_t tokens = size[0], m = size[1], n = size[2], K = size[3];
    CAPTURE(m);
    CAPTURE(K);
    Sample block, diagonal;
    for (int draw = 0; draw < 3000; ++draw) {
      const std::vector<double> M = nulls::random_block(tokens, m, n, K, random);
      double all = 0, own = 0;
      for (std::int64_t i = 0; i < K; ++i)
        for (std::int64_t j = 0; j < K; ++j) {
          const double v = M[static_cast<std::size_t>(i * K + j)];
          all += v * v;
          if (i == j) own += v * v;
        }
      block.add(all), diagonal.add(own);
    }
    const double expected = nulls::block_coverage(m, n, K), on_diagonal = nulls::diagonal_coverage(m, n, K);
    CHECK(std::abs(block.value() - expected * expected) < 4 * block.error());
    CHECK(std::abs(diagonal.value() - on_diagonal * on_diagonal) < 4 * diagonal.error());
  }
}

TEST_CASE("nulls: exchangeable dims carry (K - keep) / (K - 2), entries of a block (K^2 - keep^2) / (K^2 - 4)") {
  Random random(5, "share", "test");
  TrialInfo trial = papers_trial(64);
  for (const auto& [keep, share] : {std::pair{32, 0.516}, {20, 0.710}, {8, 0.903}, {4, 0.968}})
    CHECK(nulls::exchangeable_share(64, keep) == doctest::Approx(share).epsilon(0.001));
  CHECK(nulls::exchangeable_share(64, 32, true) == doctest::Approx((4096.0 - 1024) / (4096 - 4)));
  for (const bool block : {false, true}) {
    trial.core = block ? "block" : "diagonal";
    std::vector<Sample> shares(65);
    for (int draw = 0; draw < 500; ++draw) {
      const std::vector<double> tails = nulls::exchangeable_tails(trial, random);
      REQUIRE(tails.size() == 65);
      CHECK(tails[64] == 0);
      for (std::size_t k = 0; k < 64; ++k) {
        CHECK(tails[k] > tails[k + 1]);
        shares[k].add(tails[k] / tails[2]);
      }
    }
    for (const int keep : {32, 20, 8, 4, 0})  // a ratio of sums: biased by less than 1e-3 / 62
      check_mean(shares[static_cast<std::size_t>(keep)], nulls::exchangeable_share(64, keep, block), 2e-5);
  }
  // Matrices of other ranks have no share in dims that they lack: 3 + 3 of 4 + 4 and 3.
  trial.core = "diagonal", trial.matrices = {{"a", 9, 9, 6, 0}, {"none", 9, 9, 0, 0}, {"b", 9, 9, 3, 0}};
  Sample share;
  for (int draw = 0; draw < 4000; ++draw) {
    const std::vector<double> tails = nulls::exchangeable_tails(trial, random);
    share.add(tails[3] / tails[2]);
  }
  check_mean(share, 3 / 5.0);  // of Gamma(3) in Gamma(5): a Beta(3, 2)
  CHECK(share.sd() == doctest::Approx(std::sqrt(6.0 / (25 * 6))).epsilon(0.05));
}

TEST_CASE("nulls: the spectrum of iid entries is that of explicit matrices") {
  for (const auto& size : {std::array<std::int64_t, 2>{9, 9}, {14, 6}, {5, 12}, {7, 1}}) {
    const std::int64_t m = size[0], n = size[1];
    CAPTURE(m);
    CAPTURE(n);
    Random random(7, "iid", "test");
    Sample drawn, direct, drawn_top, direct_top, drawn_least, direct_least;
    for (int draw = 0; draw < 2000; ++draw) {
      const std::vector<double> sigma = nulls::iid_spectrum(m, n, random);
      std::vector<float> W(static_cast<std::size_t>(m * n));
      random.normal(W, 1);
      const std::vector<double> own = singular_values(W, m, n);
      REQUIRE(sigma.size() == own.size());
      drawn.add(effective_rank(sigma)), direct.add(effective_rank(own));
      drawn_top.add(sigma.front()), direct_top.add(own.front());
      drawn_least.add(sigma.back()), direct_least.add(own.back());
    }
    CHECK(std::abs(drawn.value() - direct.value()) <= 5 * std::hypot(drawn.error(), direct.error()));
    CHECK(std::abs(drawn_top.value() - direct_top.value()) < 5 * std::hypot(drawn_top.error(), direct_top.error()));
    CHECK(std::abs(drawn_least.value() - direct_least.value()) < 5 * std::hypot(drawn_least.error(), direct_least.error()));
    CHECK(drawn_top.sd() == doctest::Approx(direct_top.sd()).epsilon(0.1));
  }
}

TEST_CASE("nulls: independent gradients have a cosine of sd 1 / sqrt(K)") {
  Random random(6, "cosine", "test");
  Sample cosine;
  for (int draw = 0; draw < 4000; ++draw) {
    double ab = 0, aa = 0, bb = 0;
    for (int k = 0; k < 32; ++k) {
      const double a = random.normal(), b = random.normal();
      ab += a * b, aa += a * a, bb += b * b;
    }
    cosine.add(ab / std::sqrt(aa * bb));
  }
  CHECK(std::abs(cosine.value()) < 4 * cosine.error());
  CHECK(cosine.sd() == doctest::Approx(nulls::cosine_sd(32)).epsilon(0.04));
}
