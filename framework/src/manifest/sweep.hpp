// "sweep" of an arm: one arm for every combination of values, in place of the arm.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "khost/json.hpp"

namespace khost {

// From the name of an arm that was swept to those that took its place.
using Swept = std::map<std::string, std::vector<std::string>>;

// Replaces each swept arm of `manifest`, and its name in the "arms" of the experiment's probes.
Swept expand_sweeps(Json& manifest);

}  // namespace khost
