// What noise alone would give for the records of an arm's probes: joint draws, seeded, cached.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "artifact/cache.hpp"
#include "engine/result.hpp"
#include "plan/materials.hpp"

namespace khost {

struct NullDraws {
  int count = 0;
  // By the record's full name within its arm, "snr/drift/0": one value a draw, NaN where a draw has none. Draws of records of one
  // probe belong together; those of two probes are independent.
  std::map<std::string, std::vector<float>> records;
  // Records that have a null only where each step has a batch of its own, in an arm of one fixed batch: "snr/drift/<group>".
  std::vector<std::string> nothing_sampled;
  std::map<std::string, std::string> failed = {};  // by the name of a probe whose null could not be drawn: why
};

// One draw of a probe's null, for what it refuses: pools have one entry, and what would take long is left out, as are recipes
// that are in `rehearsed` already.
void rehearse_null(const Plugin& plugin, const Component& component, const Signals& declared, const TrialInfo& info,
                   std::set<std::string>& rehearsed);

// Of every probe of the arm that declares a null, at the ranks of its manifest. The number of threads changes nothing. A probe
// whose null() goes wrong has none.
NullDraws null_draws(const Materials& materials, const Arm& arm, Cache& cache, int count, int threads);

// Of the records that this arm's trials have: those whose probe declares that their null is drawn, and whose null() made none.
std::vector<std::string> nulls_not_made(const Materials& materials, const Arm& arm, const NullDraws& made,
                                        const std::vector<TrialResult>& trials);

// By Arm::key().
using NullsByArm = std::map<std::string, NullDraws>;

// Of the form that an arm has on a base.
inline const NullDraws* nulls_on(const NullsByArm& nulls, const std::string& base, const std::string& arm) {
  auto found = nulls.find(key_of_form(base, arm));
  if (found == nulls.end()) found = nulls.find(arm);
  return found == nulls.end() ? nullptr : &found->second;
}

// `count` joint draws of one probe's null, each on an instance of its own that make() gives: the records of each, by full name.
std::vector<std::map<std::string, double>> joint_draws(const Component& component, const Signals& declared, const TrialInfo& info,
                                                       int count, const std::function<std::shared_ptr<Probe>()>& make);

}  // namespace khost
