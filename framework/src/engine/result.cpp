#include "engine/result.hpp"

#include <algorithm>

namespace khost {

bool RecordSeries::add(std::int64_t step, double value) {
  if (points.empty() || points.back().step < step) return points.push_back({step, value}), true;
  const auto at = std::ranges::lower_bound(points, step, {}, &Point::step);
  if (at->step == step) return false;
  points.insert(at, {step, value});
  return true;
}

std::size_t SeriesSet::index(const std::string& probe, const std::string& name, const std::string& unit) {
  const auto [at, is_new] = index_.try_emplace({probe, name}, all_.size());
  if (is_new) all_.push_back({probe, name, unit});
  return at->second;
}

void SeriesSet::state(State& s) {
  s(all_);
  if (!s.reading()) return;
  index_.clear();
  for (std::size_t i = 0; i < all_.size(); ++i) index_[{all_[i].probe, all_[i].name}] = i;
}

void TrialResult::add(const Record& r) {
  auto found = std::ranges::find_if(series, [&](const RecordSeries& s) { return s.probe == r.probe && s.name == r.name; });
  if (found == series.end()) found = series.insert(found, {r.probe, r.name, r.unit});
  found->add(r.step, r.value);
}

const RecordSeries* TrialResult::find(std::string_view label) const {
  for (const RecordSeries& s : series)
    if (label.size() == s.probe.size() + 1 + s.name.size() && label.starts_with(s.probe) && label[s.probe.size()] == '/' &&
        label.ends_with(s.name))
      return &s;
  return nullptr;
}

}  // namespace khost
