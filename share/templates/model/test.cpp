#include "my_model.hpp"

#include <doctest/doctest.h>

#include <set>

TEST_CASE("tensors have names of their own, and matrices may be adapted") {
  const MyModel model({.d_model = 8, .n_layer = 3}, {.vocabulary = 50, .sequence = 4});
  std::set<std::string> names;
  std::int64_t size = 0, adaptable = 0;
  for (const khost::Parameter& p : model.parameters()) {
    CHECK(names.insert(p.name).second);
    CHECK(p.adaptable == (p.shape.size() == 2));
    std::int64_t entries = 1;
    for (const std::int64_t side : p.shape) entries *= side;
    size += entries;
    adaptable += p.adaptable;
  }
  CHECK(adaptable == 7);
  CHECK(size == 50 * 8 + 3 * (8 + 2 * 8 * 32) + 8);
}
