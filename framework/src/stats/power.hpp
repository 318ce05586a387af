// How many values a verdict takes.
#pragma once

#include <cstdint>
#include <optional>

#include "stats/rule.hpp"

namespace khost {

// The chance that n normal values of this mean and sd reach the verdict on whose side the mean is: confirmed when it lies
// in S, else falsified. Up to 100 values it is simulated with the rule itself (4,000 seeded samples: the standard error is
// below 0.008); above, where the correction for skewness hardly moves a normal sample, it is Student's, by the noncentral t
// distribution. Where S has two ends and the mean lies between, that is the least it can be: both ends' power less 1. 0
// without a spread, which decides nothing.
double power(double mean, double sd, const Region& region, int n, double alpha);

constexpr double planned_power = 0.8;

// The least n, from `least` on, at which that chance is at least 80 %. None when the mean lies on an edge of S, or so near
// that it takes more than a million, or without a spread.
std::optional<std::int64_t> values_needed(double mean, double sd, const Region& region, double alpha, int least);

}  // namespace khost
