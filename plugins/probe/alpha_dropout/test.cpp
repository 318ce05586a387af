#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "alpha_dropout.hpp"
#include "khost/testing.hpp"

TEST_CASE("alpha dropout drops at its rate, scales the rest, and keeps the mean") {
  khost::testing::FakeTrial trial({{"a", 999, 999, 300, 0}, {"b", 999, 999, 200, 0}});
  for (const double rate : {0.0, 0.1, 0.5}) {
    khost::testing::Hosted<AlphaDropout> policy({rate});
    double dropped = 0, sum = 0, n = 0;
    for (int step = 0; step < 40; ++step) {
      policy.before_step(trial, step);
      for (const auto& matrix : trial.scale)
        for (const float s : matrix) {
          CHECK((s == 0 || s == doctest::Approx(1 / (1 - rate))));
          dropped += s == 0, sum += s, n += 1;
        }
    }
    const double sd = std::sqrt(rate * (1 - rate) / n);
    CHECK(std::abs(dropped / n - rate) <= 5 * sd);
    CHECK(std::abs(sum / n - 1) <= 5 * sd / (1 - rate) + 1e-6);
  }
}

TEST_CASE("alpha dropout that resets takes the stored alphas of the same dims, and scales nothing") {
  const double rate = 0.3;
  khost::testing::FakeTrial scaled({{"a", 999, 999, 300, 0}, {"b", 999, 999, 200, 0}}), reset = scaled;
  khost::testing::Hosted<AlphaDropout> scales({rate, "scale"}), resets({rate, "reset"});
  for (int step = 0; step < 10; ++step) {
    reset.alphas_reset.clear();
    scales.before_step(scaled, step);
    resets.before_step(reset, step);
    for (std::size_t i = 0; i < 2; ++i) {
      const std::set<std::int64_t> dims(reset.alphas_reset[i].begin(), reset.alphas_reset[i].end());
      for (std::size_t k = 0; k < scaled.scale[i].size(); ++k) {
        CHECK((scaled.scale[i][k] == 0) == dims.contains(static_cast<std::int64_t>(k)));
        CHECK(reset.scale[i][k] == 1);
      }
    }
  }
}
