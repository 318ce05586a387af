#include "page/steps.hpp"

#include <tuple>

namespace khost {
namespace {

// Of all trials alike: what a stride leaves out, every greater one leaves out too.
void thin(StepSeries& series) {
  while (series.values.size() > most_steps) {
    series.stride *= 2;
    std::erase_if(series.values, [&](const auto& at) { return at.first % series.stride != 0; });
  }
}

}  // namespace

std::vector<StepSeries> step_series(const RunReader& reader) {
  std::vector<StepSeries> all;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, std::size_t> index;
  reader.each_series([&](const TrialKey& trial, const RecordSeries& series) {
    const auto [at, is_new] = index.try_emplace({trial.base, trial.arm, series.probe, series.name}, all.size());
    if (is_new) all.push_back({trial.base, trial.arm, series.probe, series.name, series.unit, {}});
    StepSeries& to = all[at->second];
    for (const Point& p : series.points) {
      if (p.step % to.stride != 0) continue;
      to.values[p.step].push_back(p.value);
      if (to.values.size() > most_steps) thin(to);
    }
  });
  return all;
}

}  // namespace khost
