#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "adam.hpp"

namespace {

// The paper's algorithm in double, straight from its text.
struct Oracle {
  Adam::Config c;
  std::vector<double> x, m, v;
  void step(int t, const std::vector<double>& g, bool decays) {
    const double lr = c.warmup > 0 ? c.lr * std::min(1.0, t / static_cast<double>(c.warmup)) : c.lr;
    for (std::size_t i = 0; i < x.size(); ++i) {
      m[i] = c.beta1 * m[i] + (1 - c.beta1) * g[i];
      v[i] = c.beta2 * v[i] + (1 - c.beta2) * g[i] * g[i];
      const double mh = m[i] / (1 - std::pow(c.beta1, t)), vh = v[i] / (1 - std::pow(c.beta2, t));
      x[i] -= lr * (mh / (std::sqrt(vh) + c.eps) + (decays ? c.weight_decay * x[i] : 0));
    }
  }
};

}  // namespace

TEST_CASE("adam follows the paper's algorithm, warm-up and decoupled decay included") {
  for (const bool decays : {false, true}) {
    Adam::Config config;
    config.weight_decay = 0.1;
    config.warmup = 4;
    const Adam adam(config);
    Oracle oracle{config, {1, -2, 0, 1e-3}, std::vector<double>(4), std::vector<double>(4)};
    std::vector<float> x(oracle.x.begin(), oracle.x.end()), state(8);
    for (int t = 1; t <= 12; ++t) {
      std::vector<double> g{std::sin(t), 1e-4 * std::cos(3.0 * t), t % 2 ? 5.0 : -5.0, 0};
      const std::vector<float> g32(g.begin(), g.end());
      for (std::size_t i = 0; i < 4; ++i) g[i] = g32[i];
      adam.update({"x", t, decays, x, g32, state});
      oracle.step(t, g, decays);
      // Twelve f32 updates of at most 5e-3 each on values of at most 2: a few units of rounding at 2.
      for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(x[i] - oracle.x[i]) < 2e-6);
    }
  }
}

TEST_CASE("the first step moves each value by lr against its gradient's sign") {
  const Adam adam(Adam::Config{});
  std::vector<float> x{0, 0, 0}, state(6);
  const std::vector<float> g{1e-3f, -40, 0};
  adam.update({"alpha", 1, false, x, g, state});
  CHECK(x[0] == doctest::Approx(-5e-3).epsilon(1e-4));
  CHECK(x[1] == doctest::Approx(5e-3).epsilon(1e-6));
  CHECK(x[2] == 0);
}
