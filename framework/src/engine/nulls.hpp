// What noise alone would give for the records of an arm's probes: joint draws, seeded, cached.
#pragma once

#include <functional>
#include <map>
#include <memory>
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
};

// Of every probe of the arm that declares a null, at the ranks of its manifest. The number of threads changes nothing. Throws a
// plugin Error when a probe's null() goes wrong.
NullDraws null_draws(const Materials& materials, const Arm& arm, Cache& cache, int count, int threads);

// Of the records that this arm's trials have: those whose probe declares that their null is drawn, and whose null() made none.
std::vector<std::string> nulls_not_made(const Materials& materials, const Arm& arm, const NullDraws& made,
                                        const std::vector<TrialResult>& trials);

// `count` joint draws of one probe's null, each on an instance of its own that make() gives: the records of each, by full name.
std::vector<std::map<std::string, double>> joint_draws(const Component& component, const Signals& declared, const TrialInfo& info,
                                                       int count, const std::function<std::shared_ptr<Probe>()>& make);

}  // namespace khost
