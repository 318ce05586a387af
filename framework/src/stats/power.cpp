#include "stats/power.hpp"

#include <algorithm>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "khost/random.hpp"

namespace khost {
namespace {

constexpr int simulated_up_to = 100, samples = 4000;
constexpr std::int64_t most = 1000000;

double student_power(double distance, double sd, int n, double alpha) {
  const double t = boost::math::quantile(boost::math::complement(boost::math::students_t(n - 1.0), alpha / 2));
  const double delta = distance / sd * std::sqrt(n);
  if (delta > t + 10) return 1;  // the series of the noncentral t is slow out there
  return boost::math::cdf(boost::math::complement(boost::math::non_central_t(n - 1.0, delta), t));
}

double simulated_power(double mean, double sd, const Region& region, int n, double alpha) {
  Random random(0, "verdict", "power " + std::to_string(n));
  const bool inside = region.holds(mean);
  std::vector<double> values(static_cast<std::size_t>(n));
  int reached = 0;
  for (int i = 0; i < samples; ++i) {
    for (double& v : values) v = mean + sd * random.normal();
    const Decision d = decide(spread_of(values), region);
    reached += d.inside == inside && d.p <= alpha;
  }
  return static_cast<double>(reached) / samples;
}

// Distance of the mean to the nearest edge of S.
double nearest(double mean, const Region& region) { return std::min(std::abs(mean - region.low), std::abs(mean - region.high)); }

}  // namespace

double power(double mean, double sd, const Region& region, int n, double alpha) {
  if (sd == 0) return 0;
  if (n <= simulated_up_to) return simulated_power(mean, sd, region, n, alpha);
  if (!region.holds(mean)) return student_power(nearest(mean, region), sd, n, alpha);
  double failing = 0;
  for (const double edge : {region.low, region.high})
    if (!std::isinf(edge)) failing += 1 - student_power(std::abs(mean - edge), sd, n, alpha);
  return std::max(0.0, 1 - failing);
}

std::optional<std::int64_t> values_needed(double mean, double sd, const Region& region, double alpha, int least) {
  if (sd == 0) return std::nullopt;
  const double distance = nearest(mean, region);
  if (!(distance > 0)) return std::nullopt;
  // With sd known and one edge it would take this many: fewer than it does take.
  const boost::math::normal z;
  const double units = (boost::math::quantile(boost::math::complement(z, alpha / 2)) + boost::math::quantile(z, planned_power));
  const double bound = std::pow(units * sd / distance, 2);
  if (!(bound < most)) return std::nullopt;
  const auto enough = [&](std::int64_t n) { return power(mean, sd, region, static_cast<int>(n), alpha) >= planned_power; };
  std::int64_t n = std::max<std::int64_t>(least, static_cast<std::int64_t>(bound));
  for (; n <= simulated_up_to; ++n)
    if (enough(n)) return n;
  std::int64_t above = n, step = 1;
  for (; !enough(above); step *= 2) {
    n = above + 1;
    above += step;
    if (above > most) return std::nullopt;
  }
  while (n < above) {
    const std::int64_t middle = n + (above - n) / 2;
    if (enough(middle))
      above = middle;
    else
      n = middle + 1;
  }
  return n;
}

}  // namespace khost
