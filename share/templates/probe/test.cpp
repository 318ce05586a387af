#include "my_probe.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "khost/testing.hpp"

using khost::testing::FakeTrial;
using khost::testing::Hosted;

TEST_CASE("the share of a gradient that is known, and of none at all") {
  FakeTrial trial({{"a", 9, 7, 3, 0}, {"b", 9, 7, 2, 0}});  // two matrices of 9 x 7, K = 3 and 2, in layer 0
  Hosted<MyProbe> probe({.dims = 1});
  trial.step(probe, 0, {{3, 4, 0}, {1, 1}});  // 9/25 and 1/2
  trial.step(probe, 1, {{0, 0, 0}, {0, 2}});  // none to have a share of, and 0
  probe.conclude(trial);
  CHECK(trial.series.at("share").at(0) == doctest::Approx(0.43).epsilon(1e-15));
  CHECK(trial.series.at("share").at(1) == 0);
  CHECK(trial.records.at("share") == doctest::Approx(0.215).epsilon(1e-15));
}

TEST_CASE("noise has dims / K of itself there") {
  FakeTrial trial({{"a", 64, 64, 16, 0}, {"b", 64, 64, 16, 1}});
  trial.info().steps = 5;
  const auto draws = khost::testing::null_draws<MyProbe>({.dims = 4}, trial.info(), 200);
  CHECK(khost::testing::without_null<MyProbe>({}, draws).empty());
  khost::Mean mean;
  for (const double share : draws.at("share")) mean.add(share);
  CHECK(std::abs(mean.value() - 0.25) < 0.03);
}
