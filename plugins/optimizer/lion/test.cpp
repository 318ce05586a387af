#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "khost/error.hpp"
#include "lion.hpp"

namespace {

// The paper's algorithm in double, straight from its text.
struct Oracle {
  Lion::Config c;
  std::vector<double> x, m;
  void step(double lr, const std::vector<double>& g, bool decays) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double direction = c.beta1 * m[i] + (1 - c.beta1) * g[i];
      const double sign = direction > 0 ? 1 : direction < 0 ? -1 : 0;
      x[i] -= lr * (sign + (decays ? c.weight_decay * x[i] : 0));
      m[i] = c.beta2 * m[i] + (1 - c.beta2) * g[i];
    }
  }
};

}  // namespace

TEST_CASE("lion follows the paper's algorithm over ten steps, with decay and every schedule") {
  for (const bool decays : {false, true})
    for (const char* schedule : {"constant", "cosine"})
      for (const std::int64_t warmup : {0, 4}) {
        Lion::Config config;
        config.lr = 5e-3;
        config.weight_decay = 0.5;
        config.schedule = schedule;
        config.warmup = warmup;
        const Lion lion(config);
        Oracle oracle{config, {1, -2, 0, 1e-3}, std::vector<double>(4)};
        std::vector<float> x(oracle.x.begin(), oracle.x.end()), state(4);
        for (int t = 1; t <= 10; ++t) {
          // Signs that change, a momentum that outlasts them, and nothing at all: no direction comes near 0 but the last.
          std::vector<double> g{std::cos(0.9 * t), t == 1 ? 8e-3 : -1e-4 * t, t % 2 ? 5.0 : -5.0, 0};
          const std::vector<float> g32(g.begin(), g.end());
          for (std::size_t i = 0; i < 4; ++i) g[i] = g32[i];
          lion.update({"x", t, decays, x, g32, state, {}, t, 10});
          oracle.step(lion.rate(t, 10), g, decays);
          // Ten f32 updates of at most 5e-3 each on values of at most 2: a few units of rounding at 2.
          for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(x[i] - oracle.x[i]) < 2e-6);
        }
        if (!decays) CHECK(x[3] == 1e-3f);  // no gradient, no step
      }
}

TEST_CASE("lion's learning rates are those of the closed form") {
  const auto rates = [](const char* schedule, std::int64_t warmup, std::int64_t steps) {
    Lion::Config config;
    config.lr = 2;
    config.schedule = schedule;
    config.warmup = warmup;
    const Lion lion(config);
    std::vector<double> all;
    for (std::int64_t t = 1; t <= steps; ++t) all.push_back(lion.rate(t, steps));
    return all;
  };
  const auto same = [](const std::vector<double>& found, const std::vector<double>& expected) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-14));
  };
  const double root = std::sqrt(0.5);  // cos(pi / 4)
  same(rates("constant", 0, 3), {2, 2, 2});
  same(rates("constant", 4, 6), {0.5, 1, 1.5, 2, 2, 2});
  same(rates("cosine", 0, 4), {2, 1 + root, 1, 1 - root});
  same(rates("cosine", 2, 6), {1, 2, 2, 1 + root, 1, 1 - root});
  same(rates("cosine", 0, 6), {2, 1 + std::sqrt(0.75), 1.5, 1, 0.5, 1 - std::sqrt(0.75)});
  same(rates("cosine", 4, 4), {0.5, 1, 1.5, 2});  // over before the cosine begins
  same(rates("cosine", 0, 1), {2});
}

TEST_CASE("a reset begins lion's momentum again, not its schedule") {
  Lion::Config config;
  config.lr = 2;
  config.schedule = "cosine";
  const Lion lion(config);
  std::vector<float> x{0}, state(1);
  const std::vector<float> g{1};
  lion.update({"x", 1, false, x, g, state, {}, 3, 4});  // the first step after a reset, the training's third
  CHECK(x[0] == doctest::Approx(-1));
}

TEST_CASE("a cosine over nobody knows how many steps is refused; a constant rate needs none") {
  Lion::Config config;
  CHECK(Lion(config).rate(3, 0) == config.lr);
  config.schedule = "cosine";
  CHECK_THROWS_WITH_AS(Lion(config).rate(3, 0), doctest::Contains("'cosine' needs the number of steps"), khost::Error);
}
