// Mean and t interval of one figure over trials.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace khost {

// What a set of values says about its mean. Missing values (NaN) are left out and not counted.
struct Interval {
  int n = 0;                 // values that are there
  double mean = 0;           // NaN when n is 0
  double sd = 0;             // with n - 1; NaN when n < 2
  double low = 0, high = 0;  // NaN when n < 2
};

// mean +- t(n - 1, (1 + level) / 2) sd / sqrt(n), Student's interval. 0 < level < 1. Of equal values the mean is that value
// exactly, and the interval has no width.
Interval summarize(std::span<const double> values, double level = 0.95);

// What single draws of a null are like: their mean, and the quantiles at 2.5 % and 97.5 % (the nearest of the draws).
struct Band {
  double mean, low, high;
};
// Missing draws (NaN) are left out; without any there is no band.
std::optional<Band> band_of(std::vector<double> draws);

}  // namespace khost
