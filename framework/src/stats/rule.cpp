#include "stats/rule.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "stats/summary.hpp"

namespace khost {
namespace {

using boost::math::students_t;

double critical(const Spread& s, double alpha) {
  return boost::math::quantile(boost::math::complement(students_t(s.n - 1.0), alpha / 2));
}

double two_sided(double statistic, int n) {
  return 2 * boost::math::cdf(boost::math::complement(students_t(n - 1.0), std::abs(statistic)));
}

// Hall's transform of u = (mean - mu) / sd, less Student's sqrt(n): u + g u^2/3 + g^2 u^3/27 + g/(6n). It rises with u, as
// its derivative is (1 + g u/3)^2.
double hall(const Spread& s, double u) { return u + s.skew * u * u * (1.0 / 3 + s.skew * u / 27) + s.skew / (6 * s.n); }

double hall_inverse(const Spread& s, double y) {
  const double g = s.skew, z = y - g / (6 * s.n);
  if (std::abs(g) < 1e-6) return z - g * z * z / 3;  // the cube root's difference would lose all digits
  return 3 / g * (std::cbrt(1 + g * z) - 1);
}

// p of the hypothesis that the mean is at `edge`, against its being on the side where the sample's mean is.
Decision at_edge(const Spread& s, double edge) {
  Decision d;
  const double u = (s.mean - edge) / s.sd, root = std::sqrt(s.n);
  d.student_p = d.p = two_sided(u * root, s.n);
  if (s.skew == 0) return d;
  const double h = hall(s, u);
  d.p = h * u > 0 ? std::max(d.p, two_sided(h * root, s.n)) : 1;
  return d;
}

}  // namespace

Spread spread_of(std::span<const double> values) {
  const Interval i = summarize(values);
  Spread s{i.n, i.mean, i.sd, 0};
  if (s.n < skew_from || s.sd == 0) return s;
  const double n = s.n;
  double cubes = 0;
  for (const double v : values) cubes += std::pow((v - s.mean) / s.sd, 3);
  s.skew = cubes * n / ((n - 1) * (n - 2));
  return s;
}

Ends student_interval(const Spread& s, double alpha) {
  const double half = critical(s, alpha) * s.sd / std::sqrt(s.n);
  return {s.mean - half, s.mean + half};
}

Ends hall_interval(const Spread& s, double alpha) {
  const double y = critical(s, alpha) / std::sqrt(s.n);
  return {s.mean - s.sd * hall_inverse(s, y), s.mean - s.sd * hall_inverse(s, -y)};
}

Decision decide(const Spread& s, const Region& region) {
  Decision d;
  d.inside = region.holds(s.mean);
  if (s.sd == 0) return d;
  if (!d.inside) return at_edge(s, s.mean <= region.low ? region.low : region.high);
  d.p = d.student_p = 0;
  for (const double edge : {region.low, region.high}) {
    if (std::isinf(edge)) continue;
    const Decision e = at_edge(s, edge);
    d.p = std::max(d.p, e.p);
    d.student_p = std::max(d.student_p, e.student_p);
  }
  return d;
}

}  // namespace khost
