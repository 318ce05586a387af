#include "engine/recent.hpp"

#include <doctest/doctest.h>

using khost::Recent;

TEST_CASE("what somebody holds is shared; of the others the last few stay, and the rest go") {
  Recent<int> cache(2);
  CHECK(cache.find("a") == nullptr);
  const auto held = cache.keep("a", std::make_shared<int>(1));
  std::weak_ptr<int> b = cache.keep("b", std::make_shared<int>(2)), c = cache.keep("c", std::make_shared<int>(3));
  CHECK(cache.find("a") == held);  // pushed out of the last two, but held; now b is the oldest of them
  CHECK(b.expired());
  CHECK(cache.find("b") == nullptr);
  CHECK(*cache.find("c") == 3);
  cache.keep("d", std::make_shared<int>(4));
  cache.keep("e", std::make_shared<int>(5));
  CHECK(c.expired());
  CHECK(cache.find("a") == held);
  CHECK(*cache.find("e") == 5);
  CHECK(cache.find("d") == nullptr);
}
