// Records that are NaN or infinite: which, in how many trials, and where that began.
#pragma once

#include "report/figures.hpp"

namespace khost {

struct NotFinite {
  std::string base, arm, probe, name;
  bool infinite = false;  // else NaN: missing
  int trials = 0, of = 0;
  // The first of them, by draw and seed.
  std::int64_t draw = 0;
  std::uint64_t seed = 0;
  std::int64_t step = -1;  // of a series the first step, from 0; -1: a record of the whole trial

  std::string record() const { return base + "/" + arm + "/" + probe + "/" + name; }
  std::string text() const;  // "NaN in 1 of 10 trials, first at step 7 of seed 3"
};

// Of all finished trials; in the order of figures_of().
std::vector<NotFinite> not_finite(const std::vector<BaseFigures>& bases);

// A number as summary.json has it: infinity as "inf" or "-inf", NaN as null.
Json number_json(double value);
// {"trials", "of", "first": {"draw", "seed", "step"}}; step null for a record of the whole trial.
Json json_of(const NotFinite& record);

}  // namespace khost
