#include "manifest/experiment.hpp"

namespace khost {

std::vector<const Arm*> Experiment::arms_on(const std::string& base) const {
  std::vector<const Arm*> out;
  for (const Arm& arm : arms)
    if (arm.runs_on(base)) out.push_back(&arm);
  return out;
}

const Arm& Experiment::arm_on(const std::string& base, const std::string& name) const {
  return *std::ranges::find_if(arms, [&](const Arm& arm) { return arm.name == name && arm.runs_on(base); });
}

}  // namespace khost
