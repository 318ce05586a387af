#include "stats/summary.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using khost::Interval;
using khost::summarize;

namespace {
constexpr double absent = std::numeric_limits<double>::quiet_NaN();
Interval of(const std::vector<double>& values, double level = 0.95) { return summarize(values, level); }
}  // namespace

TEST_CASE("mean and t interval against known values") {
  // t(4, 0.975) = 2.776445105; sd of 1..5 = sqrt(2.5)
  const Interval i = of({1, 2, 3, 4, 5});
  CHECK(i.n == 5);
  CHECK(i.mean == 3);
  CHECK(i.sd == doctest::Approx(1.5811388300841898).epsilon(1e-15));
  CHECK(i.low == doctest::Approx(3 - 2.7764451051977987 * 0.7071067811865476).epsilon(1e-13));
  CHECK(i.high == doctest::Approx(3 + 2.7764451051977987 * 0.7071067811865476).epsilon(1e-13));

  // Two values: t(1, 0.975) = tan(0.475 pi) = 12.7062047361747, half = t |a - b| / 2
  const Interval two = of({10, 12});
  CHECK(two.low == doctest::Approx(11 - 12.706204736174698).epsilon(1e-12));
  CHECK(two.high == doctest::Approx(11 + 12.706204736174698).epsilon(1e-12));

  // t(1, 0.75) = 1 exactly: the 50 % interval of two values spans them
  const Interval half = of({10, 12}, 0.5);
  CHECK(half.low == doctest::Approx(10).epsilon(1e-12));
  CHECK(half.high == doctest::Approx(12).epsilon(1e-12));
}

TEST_CASE("missing values are left out and not counted") {
  const Interval i = of({1, absent, 3, absent});
  CHECK(i.n == 2);
  CHECK(i.mean == 2);
  CHECK(i.low == of({1, 3}).low);

  const Interval one = of({absent, 7});
  CHECK(one.n == 1);
  CHECK(one.mean == 7);
  CHECK(std::isnan(one.sd));
  CHECK(std::isnan(one.low));
  CHECK(std::isnan(one.high));

  for (const Interval& none : {of({}), of({absent, absent})}) {
    CHECK(none.n == 0);
    CHECK(std::isnan(none.mean));
    CHECK(std::isnan(none.low));
  }
}

TEST_CASE("equal values have exactly that mean and no width") {
  const Interval i = of(std::vector<double>(7, 0.1));
  CHECK(i.mean == 0.1);
  CHECK(i.sd == 0);
  CHECK(i.low == 0.1);
  CHECK(i.high == 0.1);
}

TEST_CASE("a large offset does not cost the spread its accuracy") {
  const Interval i = of({1e9 + 1, 1e9 + 2, 1e9 + 3});
  CHECK(i.mean == 1e9 + 2);
  CHECK(i.sd == 1);
}
