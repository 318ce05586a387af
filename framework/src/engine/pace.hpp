// How long things take here, for the plan: passes of an arm's model, measured.
#pragma once

#include <cstdint>

#include "engine/backends.hpp"
#include "engine/trial.hpp"

namespace khost {

// Seconds of one trial's passes while as many run side by side as the run will have.
struct Pace {
  double step = 0;           // forward, backward and update on a batch, as the arm trains
  double weights = 0;        // more than that, when weight gradients are asked for
  double forward = 0;        // on the arm's batch
  double window = 0;         // forward over a window of another part
  double set_up = 0;         // of a trial's programs
  double decomposition = 0;  // of all its matrices once
};

// Measures the arm's model with random weights: a second or two. A trial's estimate then needs no further measuring; arms with
// equal models, data and ranks may share it.
Pace measure_pace(const Materials& materials, const Arm& arm, const BackendChoice& backend, int jobs, int threads);

// Directions of these ranks with random entries, not orthonormal: as good as any where only time counts.
std::shared_ptr<const Directions> any_directions(const std::vector<AdaptedMatrix>& matrices, Random& random);

// The estimate for one trial: its steps and what its probes declare.
double seconds_of(const Pace& pace, const PlannedTrial& trial);

}  // namespace khost
