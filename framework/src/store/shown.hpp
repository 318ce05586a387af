// What of a trial's data a claim reads, by hashes that do not depend on where, how and how often it is computed: another backend,
// number of threads or build shows the same, and so does a trial that only more probes look at.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plan/plan.hpp"

namespace khost {

class Shown {
 public:
  Shown(const Plan& plan, const Registry& registry);

  // Of a trial's records under that name ("loss", "snr", "grad"): what is trained, and for a probe how it looks. Without seed and
  // base draw.
  const std::string& of(const PlannedTrial& trial, const std::string& probe) const;
  std::vector<std::string> all(const PlannedTrial& trial) const;

 private:
  struct Hashes {
    std::string losses;
    std::map<std::string, std::string> probes;  // by the name their records stand under
  };
  const Hashes& hashes(const PlannedTrial& trial);

  const Plan& plan_;
  const Registry& registry_;
  std::map<std::pair<std::string, std::string>, Hashes> hashes_;  // by arm and base
};

}  // namespace khost
