// "sweep" of an arm or a base: one of them for every combination of values, in its place.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "khost/json.hpp"

namespace khost {

// From the name of an arm that was swept to those that took its place.
using Swept = std::map<std::string, std::vector<std::string>>;

// Replaces each swept base and arm of `manifest`, and an arm's name in the "arms" of the experiment's probes.
Swept expand_sweeps(Json& manifest);

}  // namespace khost
