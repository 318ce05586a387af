#include "my_op.hpp"

#include <doctest/doctest.h>

#include <vector>

// `khost check` holds its gradient against differences of in_double(). Here: whether that is the definition.
TEST_CASE("tanh in double") {
  const std::vector<double> x{-2, 0, 0.5, 40};
  std::vector<double> y(4);
  double loss = 0;
  khost::OpDoubles d{.batch = 1,
                     .sequence = 2,
                     .tokens = {},
                     .targets = {},
                     .in = {&x},
                     .weights = {},
                     .columns = {2},
                     .shapes = {},
                     .out = y,
                     .loss = loss};
  Tanh().in_double(d);
  CHECK(y[0] == doctest::Approx(-0.9640275800758169).epsilon(1e-15));
  CHECK(y[1] == 0);
  CHECK(y[2] == doctest::Approx(0.46211715726000975).epsilon(1e-15));
  CHECK(y[3] == 1);
}
