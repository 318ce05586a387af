#include "manifest/experiment.hpp"

#include <algorithm>

namespace khost {

std::string key_of_form(const std::string& base, const std::string& arm) { return "@" + base + "/" + arm; }

bool Arm::runs_on(const std::string& base) const {
  return on.empty() ? std::ranges::find(elsewhere, base) == elsewhere.end() : on == base;
}

std::string Arm::key() const { return on.empty() ? name : key_of_form(on, name); }

std::vector<std::string> Claim::paths() const {
  std::vector<std::string> out;
  for (const Let& one : let)
    for (const auto* list : {&one.paths, &one.least}) out.insert(out.end(), list->begin(), list->end());
  return out;
}

std::vector<const Arm*> Experiment::arms_on(const std::string& base) const {
  std::vector<const Arm*> out;
  for (const Arm& arm : arms)
    if (arm.runs_on(base)) out.push_back(&arm);
  return out;
}

const Arm& Experiment::arm_on(const std::string& base, const std::string& called) const {
  return *std::ranges::find_if(arms, [&](const Arm& arm) { return arm.name == called && arm.runs_on(base); });
}

}  // namespace khost
