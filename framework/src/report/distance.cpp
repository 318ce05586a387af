#include "report/distance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

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
  bool odd = false;  // the 1st, 3rd, ... of the published figures
  ByUnit values;
};

// Of one base, by ARM/PROBE/NAME: a figure's values by draw and seed. What an arm has of one seed alone (spectra of frozen
// weights) stands for all.
class Values {
 public:
  explicit Values(const BaseFigures& base) : by_record_(by_record(base)) {
    for (const ArmFigures& arm : base.arms)
      for (const TrialResult* trial : arm.trials) units_.insert({trial->key.draw, trial->key.seed});
  }

  ByUnit of(const std::string& record) const {
    ByUnit out;
    const auto found = by_record_.find(record);
    if (found == by_record_.end()) return out;
    const auto& [arm, figure] = found->second;
    for (std::size_t i = 0; i < figure->values.size(); ++i)
      if (std::isfinite(figure->values[i])) out[{arm->trials[i]->key.draw, arm->trials[i]->key.seed}] = figure->values[i];
    if (arm->trials.size() == 1 && out.size() == 1)
      for (const Unit& unit : units_) out.emplace(unit, out.begin()->second);
    return out;
  }

 private:
  std::set<Unit> units_;
  FiguresByRecord by_record_;
};

double apart(double value, double other) {
  if (!(value > 0) || !(other > 0)) return farthest;
  return std::clamp(std::log(value / other), -farthest, farthest);
}

class OnBase {
 public:
  OnBase(const BaseFigures& base, const std::vector<PublishedFigure>& published) {
    const Values values(base);
    bool odd = false;  // by its place among the published figures, whatever of them the run has
    for (const PublishedFigure& p : published) {
      if (p.record.find("/parameters/") != std::string::npos || !(p.value > 0)) continue;
      odd = !odd;
      Compared one{compared_value(p, published), 0, odd, values.of(p.record)};
      double sd = rounding_of(p.printed) / std::sqrt(3.0);
      if (!p.below.empty()) {
        const ByUnit from = values.of(p.below);
        std::erase_if(one.values, [&](const auto& v) { return !from.contains(v.first); });
        for (auto& [unit, value] : one.values) value = from.at(unit) - value;
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
    const auto from_published = [](const Unit& u) {
      return [&u](const Compared& c) { return apart(c.values.at(u), c.published); };
    };
    const auto every = [](const Compared&) { return true; };
    Distance out{base, static_cast<int>(all_.size()), {}, {}, {}, nan};
    out.whole = over_units([&](const Unit& u) { return rms(every, from_published(u)); });
    out.odd = over_units([&](const Unit& u) { return rms([](const Compared& c) { return c.odd; }, from_published(u)); });
    out.even = over_units([&](const Unit& u) { return rms([](const Compared& c) { return !c.odd; }, from_published(u)); });
    std::vector<double> pairs;
    for (const Unit& u : units_)
      for (const Unit& other : units_)
        if (u.first == other.first && u.second < other.second)
          pairs.push_back(rms(every, [&](const Compared& c) { return apart(c.values.at(u), c.values.at(other)); }));
    if (!pairs.empty()) out.apart = summarize(pairs).mean;
    return out;
  }

  bool empty() const { return units_.empty(); }

 private:
  // Of several draws over draws: a draw's seeds are not independent of it.
  template <class Value>
  Interval over_units(Value value) const {
    std::map<std::int64_t, std::vector<double>> by_draw;
    for (const Unit& u : units_) by_draw[u.first].push_back(value(u));
    if (by_draw.size() == 1) return summarize(by_draw.begin()->second);
    std::vector<double> means;
    for (const auto& [draw, values] : by_draw) means.push_back(summarize(values).mean);
    return summarize(means);
  }

  template <class Counts, class Difference>
  double rms(Counts counts, Difference difference) const {
    double sum = 0, weights = 0;
    for (const Compared& c : all_) {
      if (!counts(c)) continue;
      const double d = difference(c);
      sum += c.weight * d * d, weights += c.weight;
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
    if (const OnBase on(base, published); !on.empty()) out.push_back(on.distance(base.base));
  return out;
}

std::string distance_text(const Interval& i) {
  const NumberStyle style;
  if (!std::isfinite(i.mean)) return "-";
  return number_text(i.mean, style) +
         (i.n > 1 ? " (" + number_text(i.low, style) + " .. " + number_text(i.high, style) + ")" : "");
}

}  // namespace khost
