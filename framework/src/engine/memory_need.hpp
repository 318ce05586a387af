// What a run needs in memory, known before it is planned.
#pragma once

#include <string>

#include "compute/memory.hpp"
#include "plan/materials.hpp"

namespace khost {

// In bytes, each at least so much: what libraries lay out for themselves, and the text, come on top.
struct MemoryNeed {
  double weights = 0;                  // of all bases
  double training = 0;                 // of the largest base that trains, while it does
  double basis = 0;                    // U and V of the arm that has most
  double trial = 0;                    // of the largest trial: values of a step, trained tensors, gradients, optimizer state
  int trials = 1;                      // at a time
  const Arm* arm = nullptr;            // of the largest trial
  const BaseRecipe* trains = nullptr;  // the largest base that trains

  double bytes() const;
  std::string text() const;  // "weights of bases 12 MiB, basis 3 MiB, 2 trials at a time of 40 MiB each"
};

// Rehearses each model's forward pass at the shapes of every arm and base, and each optimizer's state, so that what a model or an
// optimizer refuses of them is refused here, at its place in the manifest. Takes no such memory.
MemoryNeed memory_need(const Experiment& experiment, const Materials& materials);

// At a time; 0 when not even one does.
int trials_that_fit(const MemoryNeed& need, const MemoryLimit& limit);

// Throws a usage Error with the sum where it cannot fit.
void expect_to_fit(const MemoryNeed& need, const MemoryLimit& limit);

}  // namespace khost
