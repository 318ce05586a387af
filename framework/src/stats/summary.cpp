#include "stats/summary.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>

namespace khost {

Interval summarize(std::span<const double> values, double level) {
  std::vector<double> present;
  for (const double v : values)
    if (!std::isnan(v)) present.push_back(v);

  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  Interval result{static_cast<int>(present.size()), nan, nan, nan, nan};
  if (present.empty()) return result;

  // Differences from the first value, so that neither a large offset nor equal values cost accuracy.
  const double n = static_cast<double>(present.size()), origin = present.front();
  double shift = 0;
  for (const double v : present) shift += v - origin;
  shift /= n;
  result.mean = origin + shift;
  if (present.size() < 2) return result;

  double squares = 0;
  for (const double v : present) squares += (v - origin - shift) * (v - origin - shift);
  result.sd = std::sqrt(squares / (n - 1));
  const double half = boost::math::quantile(boost::math::students_t(n - 1), (1 + level) / 2) * result.sd / std::sqrt(n);
  result.low = result.mean - half;
  result.high = result.mean + half;
  return result;
}

std::optional<Band> band_of(std::vector<double> draws) {
  std::erase_if(draws, [](double v) { return std::isnan(v); });
  if (draws.empty()) return std::nullopt;
  const double mean = std::accumulate(draws.begin(), draws.end(), 0.0) / static_cast<double>(draws.size());
  std::ranges::sort(draws);
  const auto quantile = [&](double q) {
    return draws[static_cast<std::size_t>(std::lround(q * static_cast<double>(draws.size() - 1)))];
  };
  return Band{mean, quantile(0.025), quantile(0.975)};
}

}  // namespace khost
