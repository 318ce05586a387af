// When claims were fixed: $KHOST_CACHE/claims/<experiment>.json holds each claim as it stood before its first trial.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "plan/plan.hpp"

namespace khost {

class ClaimLedger {
 public:
  ClaimLedger(const std::string& cache_root, const std::string& experiment);

  // Call before the first trial. Notes claims that are new; gives, by id, the earlier text of each that has changed since trials
  // of its arms exist (`has`, by hash). A claim that changed while there were none is noted anew. Words may change at any time.
  std::map<std::string, Json> note(const std::vector<Claim>& claims, const Plan& plan,
                                   const std::function<bool(const std::string& hash)>& has) const;

 private:
  std::string path_;
};

}  // namespace khost
