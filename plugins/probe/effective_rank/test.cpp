#include <doctest/doctest.h>

#include <cmath>

#include "effective_rank.hpp"
#include "khost/random.hpp"
#include "khost/testing.hpp"

using khost::testing::FakeTrial;

TEST_CASE("a flat gradient has rank K, a one-hot rank 1, a zero one none") {
  FakeTrial trial({{"tok_emb", 9, 7, 4, -1}, {"a", 9, 7, 4, 0}, {"b", 8, 8, 4, 1}});
  EffectiveRank probe({});
  probe.begin(trial.info());
  trial.step(probe, 0, {{2, -2, 2, -2}, {0, 5, 0, 0}, {1, 1, 0, 0}});
  trial.step(probe, 1, {{0, 0, 0, 0}, {1, 0, 0, 0}, {1, 1, 1, 0}});
  probe.conclude(trial);
  CHECK(trial.series.at("in_basis").at(0) == doctest::Approx((4 + 1 + 2) / 3.0));
  CHECK(trial.series.at("in_basis").at(1) == doctest::Approx((1 + 3) / 2.0));  // the zero gradient is left out
  CHECK(trial.records.at("in_basis") == doctest::Approx((7 / 3.0 + 2) / 2));
  CHECK(trial.records.at("in_basis/layer0") == doctest::Approx(1));
  CHECK(trial.records.at("in_basis/layer1") == doctest::Approx(2.5));
  CHECK(trial.records.at("in_basis/embedding") == doctest::Approx(4));
}

TEST_CASE("Gaussian entries give 0.759 K at K = 32 (science.md, section 3)") {
  FakeTrial trial({{"a", 99, 99, 32, 0}});
  EffectiveRank probe({});
  probe.begin(trial.info());
  khost::Random random(5, "test", "gaussian");
  const int n = 4000;
  for (int t = 0; t < n; ++t) {
    khost::Alphas g(1, std::vector<float>(32));
    random.normal(g[0], 1);
    trial.step(probe, t, g);
  }
  probe.conclude(trial);
  // sd 0.046 K a draw: five standard errors of the mean, and the three digits of the constant.
  CHECK(std::abs(trial.records.at("in_basis") / 32 - 0.759) < 5 * 0.046 / std::sqrt(n) + 0.0005);
}
