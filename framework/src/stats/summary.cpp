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

  // Differences from the first value, so that neither a large offset nor equal values cost accuracy; in a power of two near the
  // largest of them, so that no square of a very small or a very large one is 0 or infinite.
  const double n = static_cast<double>(present.size()), origin = present.front();
  double largest = 0;
  for (const double v : present) largest = std::max(largest, std::abs(v - origin));
  const int exponent = largest > 0 && std::isfinite(largest) ? std::ilogb(largest) : 0;
  const auto scaled = [&](double v) { return std::scalbn(v - origin, -exponent); };
  double shift = 0;
  for (const double v : present) shift += scaled(v);
  shift /= n;
  result.mean = origin + std::scalbn(shift, exponent);
  if (present.size() < 2) return result;

  double squares = 0;
  for (const double v : present) squares += (scaled(v) - shift) * (scaled(v) - shift);
  result.sd = std::scalbn(std::sqrt(squares / (n - 1)), exponent);
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
