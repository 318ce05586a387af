// What the engine's own records are; those of probes are in Run::definitions.
#pragma once

#include <vector>

#include "store/run.hpp"

namespace khost {

const std::vector<Definition>& engine_definitions();

// What noise gives for it, in words.
std::string noise_of(const Definition& definition);

}  // namespace khost
