// The "arms" and "probes" of a manifest.
#pragma once

#include <string>
#include <vector>

#include "manifest/components.hpp"

namespace khost {

// A probe with what it declares for its configuration.
struct ReadProbe {
  Component component;
  Signals signals;
  bool everywhere = true;
  std::vector<std::string> arms;  // unless everywhere: the arms it is restricted to
};

struct ReadArm {
  Arm arm;
  std::vector<Signals> signals;  // of arm.probes, in their order
};

// The experiment's own probes, checked against the names of its arms.
std::vector<ReadProbe> read_probes(Reading& reading, const Json& manifest);

struct ArmDefaults {
  std::int64_t steps = 40, seeds = 10;
  const std::vector<ReadProbe>* probes = nullptr;
};
// In the manifest's order, after each the forms of its own that bases give it.
std::vector<ReadArm> read_arms(Reading& reading, const Json& manifest, const std::vector<BaseRecipe>& bases,
                               const ArmDefaults& defaults);

// "SAIDthere is no arm 'NAME'", with the nearest of `names`, or what a sweep made of it.
Error no_arm(const Reading& reading, const Place& place, const std::string& said, const std::string& name,
             const std::vector<std::string>& names);

Json resolved_json(const ReadProbe& probe);
Json resolved_json(const Arm& arm);

}  // namespace khost
