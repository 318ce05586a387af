#include <doctest/doctest.h>

#include <cmath>

#include "effective_rank.hpp"
#include "khost/random.hpp"
#include "khost/spectral.hpp"
#include "khost/testing.hpp"
#include "message.hpp"
#include "null_sample.hpp"
#include "reference_trial.hpp"

using khost::testing::FakeTrial;
using khost::testing::Hosted;

TEST_CASE("a flat gradient has rank K, a one-hot rank 1, a zero one none") {
  FakeTrial trial({{"tok_emb", 9, 7, 4, -1}, {"a", 9, 7, 4, 0}, {"b", 8, 8, 4, 1}});
  Hosted<EffectiveRank> probe({});
  probe.begin(trial);
  trial.step(probe, 0, {{2, -2, 2, -2}, {0, 5, 0, 0}, {1, 1, 0, 0}});
  trial.step(probe, 1, {{0, 0, 0, 0}, {1, 0, 0, 0}, {1, 1, 1, 0}});
  probe.conclude(trial);
  CHECK(trial.series.at("in_basis").at(0) == doctest::Approx((4 + 1 + 2) / 3.0));
  CHECK(trial.series.at("in_basis").at(1) == doctest::Approx((1 + 3) / 2.0));  // the zero gradient is left out
  CHECK(trial.records.at("in_basis") == doctest::Approx((7 / 3.0 + 2) / 2));
  CHECK(trial.records.at("in_basis/layer0") == doctest::Approx(1));
  CHECK(trial.records.at("in_basis/layer1") == doctest::Approx(2.5));
  CHECK(trial.records.at("in_basis/embedding") == doctest::Approx(4));
  CHECK(trial.records.at("in_basis/spread") == doctest::Approx(1.5));
  CHECK(trial.records.at("in_basis/first") == doctest::Approx(7 / 3.0));
  CHECK(trial.records.at("in_basis/last") == doctest::Approx(2));
  CHECK(trial.records.at("in_basis/drift") == doctest::Approx(-1 / 3.0));
  CHECK(trial.records.at("in_basis/per_K") == doctest::Approx((7 / 3.0 + 2) / 2 / 4));
}

TEST_CASE("a matrix without an adapter shifts nothing: gradients are told apart by name") {
  FakeTrial trial({{"tok_emb", 9, 7, 0, -1}, {"a", 9, 7, 2, 0}, {"b", 8, 8, 3, 1}});
  Hosted<EffectiveRank> probe({});
  probe.begin(trial);
  const std::vector<float> a{1, 1}, b{0, 0, 4};
  trial.signals.insert_or_assign(
      "alpha.grad", khost::Signal({{"a", {khost::DType::f32, a.data(), {2}}}, {"b", {khost::DType::f32, b.data(), {3}}}}));
  trial.step(probe, 0);
  probe.conclude(trial);
  CHECK(trial.records.at("in_basis/layer0") == doctest::Approx(2));
  CHECK(trial.records.at("in_basis/layer1") == doctest::Approx(1));
  CHECK(trial.records.at("in_basis/per_K") == doctest::Approx((1 + 1 / 3.0) / 2));
  CHECK(std::isnan(trial.records.at("in_basis/embedding")));
}

TEST_CASE("factors have no in-basis spectrum: refused before the first step") {
  FakeTrial trial({{"a", 9, 7, 4, 0}});
  trial.info().core = "factors", trial.info().trains_factors = true;
  const std::string message = message_of([&] { Hosted<EffectiveRank>({}).begin(trial); });
  CHECK(message.find("arm arm trains U and V") == 0);
  CHECK(message.find("use true_effective_rank") != std::string::npos);
}

TEST_CASE("ranks agree with NumPy's SVD of U dC V', from tests/reference/effective_rank.py") {
  const khost::Json reference = reference_json("effective_rank");
  for (const char* core : {"diagonal", "block"}) {
    CAPTURE(core);
    FakeTrial trial(matrices_of(reference.at("matrices")));
    trial.info().core = core;
    Hosted<EffectiveRank> probe({});
    probe.begin(trial);
    std::vector<khost::Shape> shapes;
    for (const auto& m : trial.info().matrices)
      shapes.push_back(trial.info().core == "block" ? khost::Shape{m.rank, m.rank} : khost::Shape{m.rank});
    const khost::Json& expected = reference.at(core);
    std::int64_t t = 0;
    for (const khost::Json& step : expected.at("steps").as_list()) trial.step(probe, t++, "alpha.grad", vectors_of(step), shapes);
    probe.conclude(trial);
    check_records(trial.records, expected.at("records"), 1e-10);
    t = 0;
    for (const khost::Json& value : expected.at("series").as_list())
      CHECK(trial.series.at("in_basis").at(t++) == doctest::Approx(value.as_number()).epsilon(1e-10));
  }
}

TEST_CASE("Gaussian entries give 0.759 K at K = 32 (science.md, section 3)") {
  FakeTrial trial({{"a", 99, 99, 32, 0}});
  Hosted<EffectiveRank> probe({});
  probe.begin(trial);
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

TEST_CASE("null: 0.759 K at K = 32, of every mean; per matrix and step a spread of 0.046 K") {
  khost::TrialInfo trial = papers_trial(32);
  trial.fresh = true;
  const auto draws = khost::testing::null_draws<EffectiveRank>({8}, trial, 60);  // 5 of the 40 steps
  CHECK(khost::testing::without_null<EffectiveRank>({8}, draws, true).empty());
  // Finite K: science.md's three digits. Means over 33 matrices and 5 steps.
  check_mean(draws.at("in_basis/per_K"), 0.759, 0.0005);
  check_mean(draws.at("in_basis"), 32 * 0.759, 32 * 0.0005);
  CHECK(Sample(draws.at("in_basis")).sd() == doctest::Approx(32 * 0.046 / std::sqrt(33 * 5)).epsilon(0.4));
  for (const char* name : {"in_basis/layer0", "in_basis/layer7", "in_basis/embedding", "in_basis/first", "in_basis/last"})
    check_mean(draws.at(name), 32 * 0.759, 32 * 0.0005);
  CHECK(Sample(draws.at("in_basis/first")).sd() == doctest::Approx(32 * 0.046 / std::sqrt(33)).epsilon(0.4));
  check_mean(draws.at("in_basis/drift"), 0);
  for (std::size_t i = 0; i < 60; ++i) {
    CHECK(draws.at("in_basis/spread")[i] > 0);
    CHECK(draws.at("in_basis")[i] > draws.at("in_basis_squared")[i]);
    CHECK(draws.at("in_basis_squared")[i] > draws.at("participation_ratio")[i]);
    CHECK(draws.at("participation_ratio")[i] > draws.at("stable_rank")[i]);
  }
}

TEST_CASE("null on a fixed batch: one draw over all steps, so that a mean over them is as wide as a single step") {
  const auto draws = khost::testing::null_draws<EffectiveRank>({1}, papers_trial(32), 200);
  CHECK(khost::testing::without_null<EffectiveRank>({1}, draws).empty());
  check_mean(draws.at("in_basis"), 32 * 0.759, 32 * 0.0005);
  // Over 33 matrices alone: with 40 independent steps it would be 6.3 times narrower.
  CHECK(Sample(draws.at("in_basis")).sd() == doctest::Approx(32 * 0.046 / std::sqrt(33)).epsilon(0.2));
  CHECK(draws.at("in_basis") == draws.at("in_basis/first"));
  CHECK(draws.at("in_basis") == draws.at("in_basis/last"));
  CHECK(!draws.contains("in_basis/drift"));  // nothing is sampled from step to step
}

TEST_CASE("null of a block core: the singular values of K x K entries are as flat as a square matrix's") {
  khost::TrialInfo trial = papers_trial(16);
  trial.core = "block", trial.matrices.resize(5);
  const auto draws = khost::testing::null_draws<EffectiveRank>({8}, trial, 200);
  khost::Random random(8, "test", "blocks");
  Sample direct;
  for (int i = 0; i < 2000; ++i) {
    std::vector<float> C(256);
    random.normal(C, 1);
    direct.add(khost::effective_rank(khost::singular_values(C, 16, 16)));
  }
  const Sample drawn = draws.at("in_basis");
  // The pool of 5,000 has an error of its own, like 2,000 direct ones.
  CHECK(std::abs(drawn.value() - direct.value()) < 5 * std::hypot(drawn.error(), direct.error(), direct.sd() / std::sqrt(5000)));
}
