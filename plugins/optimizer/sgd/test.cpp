#include <doctest/doctest.h>

#include <vector>

#include "sgd.hpp"

TEST_CASE("plain gradient descent subtracts lr times the gradient") {
  const Sgd sgd({.lr = 0.5, .momentum = 0, .weight_decay = 0});
  CHECK(sgd.slots() == 0);
  std::vector<float> x{1, 2};
  const std::vector<float> g{2, -4};
  sgd.update({"x", 1, true, x, g, {}});
  CHECK(x == std::vector<float>{0, 4});
}

TEST_CASE("momentum accumulates and decay shrinks what decays") {
  const Sgd sgd({.lr = 0.5, .momentum = 0.5, .weight_decay = 0.5});
  std::vector<float> x{4}, y{4}, state_x(1), state_y(1);
  const std::vector<float> g{1};
  sgd.update({"x", 1, true, x, g, state_x});   // 0.75 * 4 - 0.5 * 1
  sgd.update({"y", 1, false, y, g, state_y});  // 4 - 0.5 * 1
  CHECK(x[0] == 2.5f);
  CHECK(y[0] == 3.5f);
  sgd.update({"y", 2, false, y, g, state_y});  // velocity 1.5
  CHECK(y[0] == 2.75f);
}
