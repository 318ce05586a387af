#include "stats/rule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "khost/random.hpp"
#include "stats/power.hpp"

using doctest::Approx;
using khost::Decision;
using khost::Region;
using khost::Spread;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
const Region below_zero{-infinity, 0};
Spread of(const std::vector<double>& values) { return khost::spread_of(values); }
}  // namespace

TEST_CASE("Student's and Hall's interval of a skewed sample against figures worked out with NumPy") {
  const Spread s = of({0.1, 0.2, 0.25, 0.4, 0.7, 2.0});
  CHECK(s.mean == Approx(0.6083333333333333).epsilon(1e-14));
  CHECK(s.sd == Approx(0.7130334260514486).epsilon(1e-14));
  CHECK(s.skew == Approx(2.0205084336500514).epsilon(1e-13));
  const khost::Ends t = khost::student_interval(s, 0.05), h = khost::hall_interval(s, 0.05);
  CHECK(t.low == Approx(-0.13994935640219464).epsilon(1e-10));
  CHECK(t.high == Approx(1.3566160230688613).epsilon(1e-10));
  // Its transform there is +-t(5, 0.975), found by bisection: the interval moves towards the long tail.
  CHECK(h.low == Approx(0.13894101907449832).epsilon(1e-10));
  CHECK(h.high == Approx(2.8025213324180163).epsilon(1e-10));
}

TEST_CASE("of even values, and of fewer than six, Hall's interval is Student's") {
  for (const auto& values : {std::vector<double>{-2.5, -1.5, -0.5, 0.5, 1.5, 2.5}, std::vector<double>{1, 2, 9}}) {
    const Spread s = of(values);
    CHECK(s.skew == Approx(0));
    const khost::Ends t = khost::student_interval(s, 0.01), h = khost::hall_interval(s, 0.01);
    CHECK(h.low == Approx(t.low));
    CHECK(h.high == Approx(t.high));
  }
}

TEST_CASE("p is the least alpha at which both intervals decide") {
  khost::Random random(1, "test", "rule");
  const Region regions[] = {below_zero, {0, infinity}, {-1, 1}, {-0.3, 0.2}, {0.5, 3}};
  int decided = 0, undecided = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<double> values(static_cast<std::size_t>(3 + trial % 9));
    for (double& v : values) v = (trial % 2 ? random.normal() : -std::log(1 - random.uniform())) + trial % 5 - 2;
    const Spread s = of(values);
    const Region& region = regions[trial % 5];
    const Decision d = khost::decide(s, region);
    REQUIRE(d.p >= d.student_p);
    for (const double alpha : {0.2, 0.05, 0.003}) {
      const khost::Ends t = khost::student_interval(s, alpha), h = khost::hall_interval(s, alpha);
      const double low = std::min(t.low, h.low), high = std::max(t.high, h.high);
      const bool lies_in = low >= region.low && high <= region.high, misses = high < region.low || low > region.high;
      CAPTURE(trial);
      CHECK((d.p <= alpha) == (lies_in || misses));
      if (d.p <= alpha) CHECK(d.inside == lies_in);
      ++(d.p <= alpha ? decided : undecided);
      const bool student = (t.low >= region.low && t.high <= region.high) || t.high < region.low || t.low > region.high;
      CHECK((d.student_p <= alpha) == student);
    }
  }
  CHECK(decided > 500);
  CHECK(undecided > 500);
}

TEST_CASE("equal values decide at no level, nor does a mean on the edge") {
  for (const Region& region : {Region{1, 2}, Region{-5, 5}, Region{2, 3}}) {
    CHECK(khost::decide(of({1, 1, 1, 1, 1, 1}), region).p == 1);
    CHECK(khost::decide(of({1, 1, 1, 1, 1, 1}), region).student_p == 1);
  }
  CHECK(khost::decide(of({0, 0, 0}), {-infinity, 0}).inside);
  CHECK_FALSE(khost::decide(of({0, 0, 0}), {-infinity, 0, true}).inside);  // what is never less is not "< 0"
  CHECK(khost::decide(of({-1, 0, 1}), below_zero).p == Approx(1));
  CHECK(khost::decide(of({2.1, 2.1, 2.1, 2.1, 2.1, 2.1, 2.1}), {2.1, 2.1}).inside);  // rounding does not move it
}

TEST_CASE("values needed: textbook cases, and their own definition") {
  // One-sample t test, 80 % power, two-sided 5 %: 199 for an effect of 0.2 sd.
  CHECK(khost::values_needed(-0.2, 1, below_zero, 0.05, 6) == 199);
  CHECK(khost::values_needed(0.2, 1, below_zero, 0.05, 6) == 199);  // to falsify
  CHECK(khost::values_needed(-0.4, 2, below_zero, 0.05, 6) == 199);
  CHECK(khost::power(-0.2, 1, below_zero, 199, 0.05) == Approx(0.8017).epsilon(0.001));
  // 34 by Student's interval alone for 0.5 sd; the second interval has its price.
  const auto half = khost::values_needed(-0.5, 1, below_zero, 0.05, 6);
  REQUIRE(half);
  CHECK(*half >= 34);
  CHECK(*half <= 41);
  CHECK(khost::power(-0.5, 1, below_zero, static_cast<int>(*half), 0.05) >= 0.8);
  CHECK(khost::power(-0.5, 1, below_zero, static_cast<int>(*half) - 1, 0.05) < 0.8);
  // Both ends of S count, and a smaller alpha costs more.
  const double both = static_cast<double>(*khost::values_needed(0, 1, {-0.2, 0.2}, 0.05, 6));
  CHECK(both > 199);
  CHECK(both == Approx(265).epsilon(0.02));  // each end needs 90 %: ((1.960 + 1.2816) / 0.2)^2 + 2
  CHECK(*khost::values_needed(-0.2, 1, below_zero, 0.005, 6) > 199);
  // A hundred values are where the simulation ends: the two agree there but for the price of the second interval.
  CHECK(khost::power(-0.25, 1, below_zero, 100, 0.05) == Approx(khost::power(-0.25, 1, below_zero, 101, 0.05)).epsilon(0.05));
  CHECK(khost::values_needed(-100, 1, below_zero, 0.05, 6) == 6);
  CHECK_FALSE(khost::values_needed(1, 0, below_zero, 0.05, 6));
  CHECK(khost::power(1, 0, below_zero, 6, 0.05) == 0);
  CHECK_FALSE(khost::values_needed(0, 1, below_zero, 0.05, 6));
  CHECK_FALSE(khost::values_needed(1e-9, 1, below_zero, 0.05, 6));
}
