// What trials record step by step, over the trials of an arm, in as many points as a picture takes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "stats/summary.hpp"
#include "store/run_reader.hpp"

namespace khost {

struct StepSeries {
  std::string base, arm, probe, name, unit;
  std::map<std::int64_t, std::vector<double>> values;  // by step, from 0: one of each trial that has it
  std::int64_t stride = 1;                             // of the steps every stride-th is here

  std::string label() const { return probe + "/" + name; }
};

inline constexpr std::size_t most_steps = 240;

// Of all finished trials, in the order in which they have them.
std::vector<StepSeries> step_series(const RunReader& reader);

}  // namespace khost
