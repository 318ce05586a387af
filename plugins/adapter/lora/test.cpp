#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lora.hpp"

using khost::AdaptedTo;

// Gradients and training are tested with all adapters: tests/unit/adapter_test.cpp.
TEST_CASE("A [K, n] begins within 1/sqrt(n), B [m, K] at 0, so that dW is 0") {
  const Lora lora({.alpha = 8, .scaling = "lora"});
  const AdaptedTo W{"W", 3, 100, 2};
  khost::AdapterTensors t;
  lora.tensors(t, W);
  REQUIRE(t.all().size() == 2);
  CHECK(t.all()[0].name == "A");
  CHECK(t.all()[0].shape == khost::Shape{2, 100});
  CHECK(t.all()[1].name == "B");
  CHECK(t.all()[1].shape == khost::Shape{3, 2});
  CHECK_FALSE(t.all()[1].start);
  std::vector<float> A(200), B(6);
  khost::Random random(1, "test", "A");
  t.all()[0].start(A, {}, random);
  double sum = 0;
  for (const float a : A) {
    CHECK(std::abs(a) <= 0.1f);
    sum += static_cast<double>(a) * a;
  }
  CHECK(sum / 200 == doctest::Approx(0.01 / 3).epsilon(0.2));  // of a uniform: bound^2 / 3
  std::vector<double> dW(300);
  lora.difference(std::vector<std::span<const float>>{A, B}, {}, W, dW);
  CHECK(std::ranges::all_of(dW, [](double v) { return v == 0; }));
}

TEST_CASE("the scale is alpha / K, or alpha / sqrt(K)") {
  const AdaptedTo W{"W", 8, 8, 4};
  CHECK(Lora({.alpha = 16, .scaling = "lora"}).scale(W) == 4);
  CHECK(Lora({.alpha = 16, .scaling = "rslora"}).scale(W) == 8);
}

TEST_CASE("the difference is s B A") {
  const Lora lora({.alpha = 3, .scaling = "lora"});
  const AdaptedTo W{"W", 2, 2, 1};
  const std::vector<float> A{1, 2}, B{5, -1};
  std::vector<double> dW(4);
  lora.difference(std::vector<std::span<const float>>{A, B}, {}, W, dW);
  CHECK(dW == std::vector<double>{15, 30, -3, -6});
}
