#include "my_adapter.hpp"

#include <doctest/doctest.h>

#include <vector>

// `khost check` holds what it does in a model, and the gradients of that, against dW as difference() gives it.
TEST_CASE("dW is scale B A, and 0 at the beginning") {
  const MyAdapter adapter({.scale = 2});
  const khost::AdaptedTo W{.W = "W", .m = 2, .n = 3, .K = 1};
  khost::AdapterTensors made;
  adapter.tensors(made, W);
  REQUIRE(made.all().size() == 2);
  CHECK(made.all()[0].shape == khost::Shape{1, 3});
  CHECK(made.all()[1].shape == khost::Shape{2, 1});
  CHECK(!made.all()[1].start);  // B: zeros

  const std::vector<float> A{1, 2, 3}, B{4, -1};
  const std::span<const float> tensors[] = {A, B};
  std::vector<double> dW(6);
  adapter.difference(tensors, {}, W, dW);
  CHECK(dW == std::vector<double>{8, 16, 24, -2, -4, -6});
}
