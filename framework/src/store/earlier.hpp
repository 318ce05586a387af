// Why trials are to be computed although an earlier run had them: what of their identity is another.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plan/plan.hpp"

namespace khost {

// How two JSON values differ, by path: "optimizer.config.lr 0.005 -> 0.01". A hash is said to be another, not which.
std::vector<std::string> differences(const Json& before, const Json& now);

struct Earlier {
  std::string run;                     // the folder of the newest run of the experiment that can be read; "" without one
  std::map<std::string, int> reasons;  // of how many trials that it had finished
  int gone = 0;                        // trials that it had finished, just as they are now: no longer in the cache
  int unknown = 0;                     // that it did not have, or did not finish
};
// `left`: trials that are to be computed. Looks below `folder`, the experiment's (runs/<experiment>).
Earlier compare_with_earlier(const std::vector<const PlannedTrial*>& left, const std::string& folder);

}  // namespace khost
