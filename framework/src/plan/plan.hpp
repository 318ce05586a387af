// Everything a run will do, known before anything heavy starts.
#pragma once

#include <string>
#include <vector>

#include "plan/keys.hpp"
#include "plan/materials.hpp"

namespace khost {

// In passes over one batch of the arm, and in floating-point operations.
struct Cost {
  std::int64_t steps = 0;         // forward, backward, update
  std::int64_t weight_steps = 0;  // of these, with weight gradients that nothing but probes asks for
  std::int64_t evaluations = 0;   // forward only
  std::int64_t windows = 0;       // forward over one that is not the trial's own
  std::int64_t gradients = 0;     // forward and backward, outside training
  double decompositions = 0;      // of all adaptable matrices
  double flop = 0;                // of the passes
};

struct PlannedBase {
  const BaseRecipe* recipe = nullptr;
  std::int64_t draw = 0;
  Json identity;  // what its hash is of
  std::string hash;
  std::string file_hash = {};  // of a base from a file: its content when it was planned
  Cost cost;                   // with a target loss: the bound
};

struct PlannedTrial {
  TrialKey key;
  const Arm* arm = nullptr;
  std::size_t base = 0;                 // index in Plan::bases
  std::vector<std::size_t> needs = {};  // indices in Plan::trials: same base, draw and seed, one for each of the arm's "needs"
  Json identity;
  std::string hash;
  Cost cost;
};

struct Plan {
  std::vector<PlannedBase> bases;
  std::vector<PlannedTrial> trials;  // base by base, arm by arm (an arm after those it needs), seed by seed
  std::string run_hash;              // names the run's folder
};

// `artifact_environment` is what bases are made with, whatever the run's backend: the same artifacts serve all backends.
// The experiment and materials outlive the plan.
Plan make_plan(const Experiment& experiment, const Materials& materials, const Environment& environment,
               const Environment& artifact_environment);

}  // namespace khost
