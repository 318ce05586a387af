#include "report/distance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace khost {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double tolerance = 0.1;  // below which nothing is gained by being nearer
const double farthest = std::log(10.0);

using Unit = std::pair<std::int64_t, std::uint64_t>;  // draw and seed
using ByUnit = std::map<Unit, double>;

// Half of the last printed digit's unit: "4.800" is 0.0005, "1,536,992" 0.5, "63 %" 0.005.
double rounding_of(const std::string& printed) {
  const std::size_t point = printed.find('.');
  std::size_t decimals = 0;
  if (point != std::string::npos)
    while (point + 1 + decimals < printed.size() && printed[point + 1 + decimals] >= '0' && printed[point + 1 + decimals] <= '9')
      ++decimals;
  if (printed.find('%') != std::string::npos) decimals += 2;
  return 0.5 * std::pow(10.0, -static_cast<double>(decimals));
}

// One published figure as it is compared.
struct Compared {
  double published = 0, weight = 0;
  ByUnit values;
};

ByUnit values_of(const std::vector<BaseFigures>& bases, const std::string& base, const std::string& record) {
  ByUnit out;
  for (const BaseFigures& b : bases)
    for (const ArmFigures& arm : b.arms)
      for (const Figure& f : arm.figures) {
        if (b.base != base || arm.arm + "/" + f.label() != record) continue;
        for (std::size_t i = 0; i < f.values.size(); ++i)
          if (std::isfinite(f.values[i])) out[{arm.trials[i]->key.draw, arm.trials[i]->key.seed}] = f.values[i];
      }
  return out;
}

double apart(double value, double other) {
  if (!(value > 0) || !(other > 0)) return farthest;
  return std::clamp(std::log(value / other), -farthest, farthest);
}

class OnBase {
 public:
  OnBase(const std::vector<BaseFigures>& bases, const std::string& base, const std::vector<PublishedFigure>& published) {
    std::map<std::string, double> printed;
    for (const PublishedFigure& p : published) printed.emplace(p.record, p.value);
    for (const PublishedFigure& p : published) {
      if (p.record.find("/parameters/") != std::string::npos || !(p.value > 0)) continue;
      Compared one;
      one.published = p.value;
      one.values = values_of(bases, base, p.record);
      double sd = rounding_of(p.printed) / std::sqrt(3.0);
      if (!p.below.empty()) {
        one.published = printed.at(p.below) - p.value;
        const ByUnit from = values_of(bases, base, p.below);
        for (auto& [unit, value] : one.values) value = from.contains(unit) ? from.at(unit) - value : nan;
        sd *= std::sqrt(2.0);
      }
      if (one.values.empty() || !(one.published > 0)) continue;
      one.weight = 1 / (tolerance * tolerance + (sd / one.published) * (sd / one.published));
      all_.push_back(std::move(one));
    }
    for (const auto& [unit, value] : all_.empty() ? ByUnit{} : all_.front().values)
      if (std::ranges::all_of(all_, [&, u = unit](const Compared& c) { return c.values.contains(u); })) units_.push_back(unit);
  }

  Distance distance(const std::string& base) const {
    Distance out{base, static_cast<int>(all_.size()), {}, {}, {}, nan};
    std::vector<double> whole, odd, even, pairs;
    for (const Unit& u : units_) {
      const auto from_published = [&](const Compared& c) { return apart(c.values.at(u), c.published); };
      whole.push_back(rms(0, 1, from_published));
      odd.push_back(rms(0, 2, from_published));
      even.push_back(rms(1, 2, from_published));
      for (const Unit& other : units_)
        if (u < other) pairs.push_back(rms(0, 1, [&](const Compared& c) { return apart(c.values.at(u), c.values.at(other)); }));
    }
    out.whole = summarize(whole), out.odd = summarize(odd), out.even = summarize(even);
    if (!pairs.empty()) out.apart = summarize(pairs).mean;
    return out;
  }

  bool empty() const { return units_.empty(); }

 private:
  // Over figures `first`, `first` + `step`, ...
  template <class Difference>
  double rms(std::size_t first, std::size_t step, Difference difference) const {
    double sum = 0, weights = 0;
    for (std::size_t i = first; i < all_.size(); i += step) {
      const double d = difference(all_[i]);
      sum += all_[i].weight * d * d, weights += all_[i].weight;
    }
    return std::sqrt(sum / weights);  // NaN of none
  }

  std::vector<Compared> all_;
  std::vector<Unit> units_;
};

}  // namespace

std::vector<Distance> distances_of(const std::vector<BaseFigures>& bases, const std::vector<PublishedFigure>& published) {
  std::vector<Distance> out;
  for (const BaseFigures& base : bases)
    if (const OnBase on(bases, base.base, published); !on.empty()) out.push_back(on.distance(base.base));
  return out;
}

std::string distance_text(const Interval& i) {
  const NumberStyle style;
  if (!std::isfinite(i.mean)) return "-";
  return number_text(i.mean, style) +
         (i.n > 1 ? " (" + number_text(i.low, style) + " .. " + number_text(i.high, style) + ")" : "");
}

}  // namespace khost
