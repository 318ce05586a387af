#include "core/unit.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <string>

using khost::Unit;

TEST_CASE("units: what is in the list, with powers and one quotient, and nothing else") {
  for (const char* text : {"1", "nats", "dims", "parameters", "nats^2", "nats / 10^4 parameters", "1 / steps", "nats tokens",
                           "10^3 bytes / seconds"}) {
    CAPTURE(text);
    const auto unit = Unit::parse(text);
    REQUIRE(unit);
    CHECK(unit->text() == text);
  }
  for (const char* text :
       {"", "bananas", "Nats", "nats/dims", "nats /dims", "nats / dims / steps", "nats^", "nats^0", "nats^2.5", "nats ^2",
        " nats", "nats ", "nats  dims", "2", "nats * dims", "1 nats", "nats^1000", "/ dims", "nats / "}) {
    CAPTURE(text);
    CHECK_FALSE(Unit::parse(text));
  }
  for (const std::string_view name : Unit::names()) CHECK(Unit::parse(name));
}

TEST_CASE("units multiply, divide and take powers") {
  const Unit nats = *Unit::parse("nats"), dims = *Unit::parse("dims"), per = *Unit::parse("nats / 10^4 parameters"), one;
  CHECK(one.plain());
  CHECK(*Unit::parse("1") == one);
  CHECK((nats / nats).plain());
  CHECK((nats * nats) == *Unit::parse("nats^2"));
  CHECK(Unit::parse("nats^2")->power(0.5) == nats);
  CHECK((nats / dims * dims) == nats);
  CHECK(per * *Unit::parse("parameters") == *Unit::parse("nats / 10^4"));
  CHECK_FALSE(per == *Unit::parse("nats / parameters"));  // by a factor
  CHECK_FALSE(nats == dims);
  CHECK((nats / dims.power(2)).text() == "nats / dims^2");
  CHECK(nats.power(0).plain());
  CHECK(nats.power(-1).text() == "1 / nats");
}
