// The rule behind a verdict: what a few values let one say about where their mean lies.
//
// Student's t interval is the interval of a claim. It is exact for normal values and conservative for values with heavy but
// even tails, but of strongly skewed values it errs on one side several times as often as its level says (decision 0005). So
// a verdict needs Hall's interval too, Student's corrected for the sample's skewness (P. Hall, "On the removal of skewness
// by transformation", JRSS B 54, 1992): what one of them denies is not decided. Fewer than `skew_from` values cannot show
// their skewness; there Student's interval decides alone.
#pragma once

#include <span>

#include "manifest/claims.hpp"

namespace khost {

constexpr int skew_from = 6;

// What the rule uses of a sample: at least 2 values, all finite.
struct Spread {
  int n = 0;
  double mean = 0, sd = 0;  // sd with n - 1
  double skew = 0;          // unbiased third cumulant over sd^3; 0 for fewer than skew_from values, or an sd of 0
};
Spread spread_of(std::span<const double> values);

struct Ends {
  double low, high;
};
// The two-sided intervals at level 1 - alpha, 0 < alpha < 1.
Ends student_interval(const Spread& spread, double alpha);
Ends hall_interval(const Spread& spread, double alpha);

// Where a mean is compared: S. It holds its ends, except that an open one, of "< c" without a margin, does not hold c.
struct Region {
  double low, high;
  bool open = false;
  bool empty() const { return low > high || (open && low == high); }
  bool holds(double x) const { return open ? x > low && x < high : x >= low && x <= high; }
};

// What the rule can say of one sample. `inside`: the mean lies in S, so it is confirming that is in question, else
// falsifying. `p`: the least alpha at which both intervals lie in S (inside) or neither meets it (outside), which is twice
// the one-sided p-value of the edge in question, of both edges the larger; 1 when no alpha does. `student_p`: of Student's
// interval alone. Values that are all equal decide at none: without a spread nothing says how far off their mean may be.
struct Decision {
  bool inside = false;
  double p = 1, student_p = 1;
};
Decision decide(const Spread& spread, const Region& region);

}  // namespace khost
