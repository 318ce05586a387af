#include "my_policy.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "khost/testing.hpp"

TEST_CASE("the multipliers have mean 1 and the standard deviation that was asked for") {
  khost::testing::FakeTrial trial({{"a", 999, 999, 300, 0}, {"b", 999, 999, 200, 0}});
  khost::testing::Hosted<MyPolicy> policy({.sd = 0.2});
  double sum = 0, squares = 0, n = 0;
  for (int step = 0; step < 40; ++step) {
    policy.before_step(trial, step);
    for (const auto& matrix : trial.scale)
      for (const float scale : matrix) sum += scale, squares += (scale - 1.0) * (scale - 1.0), n += 1;
  }
  CHECK(std::abs(sum / n - 1) < 5 * 0.2 / std::sqrt(n));
  CHECK(std::abs(squares / n - 0.04) < 5 * 0.04 * std::sqrt(2 / n));
}
