#include "report/text.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <limits>

using namespace khost;

namespace {
std::string shown(const char* unit, double value) { return number_text(value, style_of(unit, value)); }
}  // namespace

TEST_CASE("numbers have sensible digits") {
  CHECK(shown("nats", 7.84071) == "7.8407");
  CHECK(shown("nats", 0.0051731) == "0.005173");
  CHECK(shown("nats^2", 1.3e-5) == "1.300e-05");
  CHECK(shown("1", 5.8791) == "5.879");
  CHECK(shown("1", 0.48037) == "0.480");
  CHECK(shown("1", 0.0051731) == "0.005173");
  CHECK(shown("1", 0.0999) == "0.09990");
  CHECK(shown("1", -0.02) == "-0.02000");
  CHECK(shown("1", 8.4e-6) == "8.400e-06");
  CHECK(shown("1", 0) == "0.000");
  CHECK(shown("1", 12345678901.) == "1.235e+10");
  CHECK(shown("parameters", 1536992) == "1,536,992");
  CHECK(shown("parameters", 1056.25) == "1,056.2");
  CHECK(shown("nats", std::numeric_limits<double>::quiet_NaN()) == "missing");
  CHECK(shown("nats", std::numeric_limits<double>::infinity()) == "inf");
}

TEST_CASE("thousands are grouped") {
  CHECK(grouped("1") == "1");
  CHECK(grouped("999") == "999");
  CHECK(grouped("1000") == "1,000");
  CHECK(grouped("-123456") == "-123,456");
  CHECK(grouped("-123") == "-123");
  CHECK(grouped("1234567.5") == "1,234,567.5");
}

TEST_CASE("the shortest text reads back to the same double") {
  for (const double value : {0.1, 1.0 / 3.0, -0.0, 5e-324, 1.7976931348623157e308, 6.0994})
    CHECK(std::strtod(shortest(value).c_str(), nullptr) == value);
  CHECK(shortest(6.0994) == "6.0994");
  CHECK(shortest(-0.0) == "-0");
}

TEST_CASE("durations") {
  CHECK(duration_text(2.44) == "2.4 s");
  CHECK(duration_text(59.97) == "1 min 00 s");
  CHECK(duration_text(200) == "3 min 20 s");
  CHECK(duration_text(3900) == "1 h 05 min");
}

TEST_CASE("widths count characters, not bytes") {
  CHECK(columns("α-grad") == 6);
  CHECK(right("α", 3) == "  α");
  CHECK(clipped("αβγδε", 5) == "αβγδε");
  CHECK(clipped("αβγδεζ", 5) == "αβ...");
}

TEST_CASE("lines are wrapped at spaces, long words within") {
  using Lines = std::vector<std::string>;
  CHECK(wrapped("one two three", 9, "- ", "  ") == Lines{"- one two", "  three"});
  CHECK(wrapped("a abcdefghij b", 6, "", "  ") == Lines{"a", "  abcd", "  efgh", "  ij b"});
  CHECK(wrapped("first\nsecond", 20, "", "  ") == Lines{"first", "  second"});
  CHECK(wrapped("", 20, "x", "") == Lines{"x"});
  for (const std::string& line : wrapped("some words and averyveryverylongwordwithoutanyend", 12, "[1] ", "    "))
    CHECK(columns(line) <= 12);
}
