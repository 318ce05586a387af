// Failed trials, those that failed alike together: a mistake in a plugin fails every seed with the same lines.
#pragma once

#include <string>
#include <vector>

#include "store/run.hpp"

namespace khost {

struct Failure {
  std::string trials;  // "arm A, base plain, seeds 0-9"
  std::string message;
  int count = 0;  // of trials
};

// In the order of the first trial of each.
std::vector<Failure> failures_of(const Run& run);

}  // namespace khost
