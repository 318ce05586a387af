#include <doctest/doctest.h>

#include <cmath>

#include "gradient_cosine.hpp"
#include "khost/testing.hpp"
#include "message.hpp"
#include "null_sample.hpp"
#include "reference_json.hpp"

using khost::testing::FakeTrial;
using khost::testing::Hosted;

TEST_CASE("parallel, opposite and orthogonal gradients, per matrix and pooled") {
  FakeTrial trial({{"a", 9, 7, 2, 0}, {"z", 9, 7, 0, 0}, {"b", 8, 8, 1, 1}});
  Hosted<GradientCosine> probe({});
  probe.begin(trial);
  trial.step(probe, 0, {{3, 4}, {12}});
  trial.step(probe, 1, {{6, 8}, {-12}});  // 1 and -1; pooled (50 - 144) / (13 sqrt(244))
  trial.step(probe, 2, {{-8, 6}, {-1}});  // 0 and 1; pooled 12 / (sqrt(244) sqrt(101))
  probe.conclude(trial);
  const double first = (50 - 144) / (13 * std::sqrt(244.0)), second = 12 / (std::sqrt(244.0) * std::sqrt(101.0));
  CHECK(!trial.series.at("pooled").contains(0));
  CHECK(trial.series.at("mean").at(1) == 0);
  CHECK(trial.series.at("mean").at(2) == 0.5);
  CHECK(trial.series.at("pooled").at(1) == doctest::Approx(first).epsilon(1e-14));
  CHECK(trial.series.at("pooled").at(2) == doctest::Approx(second).epsilon(1e-14));
  CHECK(trial.records.at("mean") == 0.25);
  CHECK(trial.records.at("pooled") == doctest::Approx((first + second) / 2).epsilon(1e-14));
  CHECK(trial.records.at("least") == doctest::Approx(first).epsilon(1e-14));
}

TEST_CASE("a zero gradient has no cosine: it is missing, never 0 or 1") {
  FakeTrial trial({{"a", 9, 7, 2, 0}});
  Hosted<GradientCosine> probe({});
  probe.begin(trial);
  trial.step(probe, 0, {{1, 2}});
  probe.conclude(trial);  // a single step: nothing to compare
  CHECK(std::isnan(trial.records.at("mean")));
  probe.begin(trial);
  trial.step(probe, 0, {{1, 2}});
  trial.step(probe, 1, {{0, 0}});
  trial.step(probe, 2, {{1, 2}});
  probe.conclude(trial);
  for (const std::int64_t step : {1, 2}) CHECK(std::isnan(trial.series.at("pooled").at(step)));
  CHECK(std::isnan(trial.records.at("least")));
  CHECK(message_of([] { Hosted<GradientCosine>({}).begin(FakeTrial({{"a", 9, 7, 0, 0}})); }).find("arm arm has no adapter") == 0);
}

TEST_CASE("cosines agree with NumPy's, from tests/reference/gradient_cosine.py") {
  const khost::Json reference = reference_json("gradient_cosine");
  FakeTrial trial({{"a", 20, 30, 9, 0}, {"b", 20, 30, 4, 0}, {"c", 20, 30, 9, 1}});
  Hosted<GradientCosine> probe({});
  probe.begin(trial);
  std::int64_t t = 0;
  for (const khost::Json& step : reference.at("steps").as_list()) trial.step(probe, t++, vectors_of(step));
  probe.conclude(trial);
  for (const auto& [name, value, place] : reference.at("records").as_object())
    CHECK(std::abs(trial.records.at(name) - value.as_number()) < 1e-13);
  int missing = 0;
  for (const auto& [name, values, place] : reference.at("series").as_object()) {
    std::int64_t step = 1;
    for (const khost::Json& value : values.as_list()) {
      const double found = trial.series.at(name).at(step++);
      if (value.is_null())
        ++missing, CHECK(std::isnan(found));
      else
        CHECK(std::abs(found - value.as_number()) < 1e-13);
    }
    CHECK(step == t);
  }
  CHECK(missing == 4);  // into and out of the step without any gradient, twice
}

TEST_CASE("null: independent gradients have a cosine of 0, with an sd of 1 / sqrt(K) a matrix and step") {
  khost::TrialInfo trial = papers_trial(32);
  CHECK(khost::testing::null_draws<GradientCosine>({}, trial, 2).empty());  // on a fixed batch nothing is sampled
  CHECK(khost::testing::without_null<GradientCosine>({}, {}).empty());
  trial.fresh = true;
  for (const bool block : {false, true}) {
    trial.core = block ? "block" : "diagonal", trial.steps = block ? 4 : 40;
    const auto draws = khost::testing::null_draws<GradientCosine>({}, trial, 200);
    CHECK(khost::testing::without_null<GradientCosine>({}, draws, true).empty());
    const double cosines = static_cast<double>(trial.steps - 1), dims = block ? 1024 : 32;
    for (const char* name : {"mean", "pooled"}) {  // consecutive cosines share a gradient, and are uncorrelated all the same
      check_mean(draws.at(name), 0);
      CHECK(Sample(draws.at(name)).sd() == doctest::Approx(1 / std::sqrt(dims * 33 * cosines)).epsilon(0.25));
    }
    CHECK(Sample(draws.at("least")).value() < 0);
  }
}
