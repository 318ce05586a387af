#include "my_optimizer.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace {

// What the host holds of one tensor.
struct Tensor {
  std::vector<float> value, gradient, state;
  void step(const MyOptimizer& optimizer) {
    optimizer.update({.parameter = "alpha", .value = value, .gradient = gradient, .state = state});
  }
};

}  // namespace

TEST_CASE("a step has the length lr sqrt(size), whatever the gradient's") {
  const MyOptimizer optimizer({.lr = 0.1, .momentum = 0.5});
  for (const float size : {1e-3f, 1.0f, 1e3f}) {
    Tensor t{{1, 1}, {3 * size, 4 * size}, {0, 0}};
    t.step(optimizer);
    CHECK(t.value[0] == doctest::Approx(1 - 0.1 * std::sqrt(2) * 0.6));
    CHECK(t.value[1] == doctest::Approx(1 - 0.1 * std::sqrt(2) * 0.8));
    CHECK(t.state[0] == doctest::Approx(1.5f * size));
  }
}

TEST_CASE("without a gradient nothing moves") {
  Tensor t{{1, 2}, {0, 0}, {0, 0}};
  t.step(MyOptimizer({}));
  CHECK(t.value == std::vector<float>{1, 2});
}
