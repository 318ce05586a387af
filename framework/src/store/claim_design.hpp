// What a claim fixes, as hashes that are the same on every machine, with every backend and build: so that a release can register
// the claims of its manifests, and a run can tell whether they are still those.
#pragma once

#include <string>
#include <vector>

#include "manifest/experiment.hpp"

namespace khost {

struct ClaimDesign {
  std::string id;
  std::string fixed;   // hash_of(claim): measure, records, scale, prediction, margin
  std::string trials;  // the arms that it reads and those that they need, and its bases, all as resolved; without seeds and draws
  std::string family;  // all claims of the experiment, each with the bases that it is judged on
  std::string key;     // all of it, under the names of the experiment and the claim
};

// One for each of the experiment's claims, in its order. Words, seeds, base draws, the backend and operational keys count for
// nothing; a file (a base's, or of text) counts by its content.
std::vector<ClaimDesign> designs_of(const Experiment& experiment, const Registry& registry);

// How many verdicts the experiment's claims ask for: claims x bases.
std::int64_t family_size(const Experiment& experiment);

// The arms whose trials a claim reads, in the experiment's order.
std::vector<const Arm*> arms_of(const Claim& claim, const Experiment& experiment);

}  // namespace khost
