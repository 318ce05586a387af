// The files that a trial's probes write.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/result.hpp"
#include "khost/probe.hpp"
#include "khost/tensor.hpp"
#include "plan/plan.hpp"

namespace khost {

class TrialArtifacts {
 public:
  TrialArtifacts(const PlannedTrial& planned, const TrialInfo& info, std::string folder);

  // NAME.safetensors, with what a reader needs to compute the trial again. Throws a plugin Error for a second file of one name.
  void write(const std::string& name, std::span<const NamedArray> arrays);
  const std::vector<Artifact>& written() const { return written_; }

 private:
  std::string folder_;
  std::map<std::string, std::string> metadata_;  // of all of them
  std::vector<Artifact> written_;
};

}  // namespace khost
