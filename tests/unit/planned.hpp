// A trial of a plan that a test makes by hand.
#pragma once

#include <string>
#include <utility>

#include "plan/plan.hpp"

inline khost::PlannedTrial planned(khost::TrialKey key, std::string hash) {
  khost::PlannedTrial trial;
  trial.key = std::move(key);
  trial.hash = std::move(hash);
  return trial;
}
