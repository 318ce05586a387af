#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "dora.hpp"

using khost::AdaptedTo;

// Gradients and training are tested with all adapters: tests/unit/adapter_test.cpp.
TEST_CASE("the magnitude begins at the norms of W's rows, so that dW is 0") {
  const Dora dora({.alpha = 4, .scaling = "lora", .norm = "constant"});
  const AdaptedTo own{"W", 2, 2, 1};
  khost::AdapterTensors t;
  dora.tensors(t, own);
  REQUIRE(t.all().size() == 3);
  CHECK(t.all()[2].name == "magnitude");
  CHECK(t.all()[2].shape == khost::Shape{2});
  const std::vector<float> W{3, 4, 0, -2}, A{0.5f, 0.25f}, B{0, 0};
  std::vector<float> magnitude(2);
  khost::Random random(1, "test", "magnitude");
  t.all()[2].start(magnitude, W, random);
  CHECK(magnitude == std::vector<float>{5, 2});
  std::vector<double> dW(4);
  dora.difference(std::vector<std::span<const float>>{A, B, magnitude}, W, own, dW);
  CHECK(dW == std::vector<double>{0, 0, 0, 0});
}

TEST_CASE("a row of W + dW is its magnitude times the direction of W + s B A; a row of 0 stays 0") {
  const Dora dora({.alpha = 2, .scaling = "lora", .norm = "exact"});
  const AdaptedTo own{"W", 2, 2, 1};
  const std::vector<float> W{1, 0, 0, 0}, A{0, 1}, B{0.5f, 0}, magnitude{10, 3};
  std::vector<double> dW(4);
  dora.difference(std::vector<std::span<const float>>{A, B, magnitude}, W, own, dW);
  CHECK(dW[0] == doctest::Approx(10 / std::sqrt(2.0) - 1));
  CHECK(dW[1] == doctest::Approx(10 / std::sqrt(2.0)));
  CHECK(dW[2] == 0);
  CHECK(dW[3] == 0);
}
