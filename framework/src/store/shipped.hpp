// The claims that a release registers: share/registered/<experiment>.json, hashes alone. `khost register --shipped` writes it.
#pragma once

#include <optional>
#include <string>

#include "store/claim_design.hpp"

namespace khost {

// What the file of these claims holds.
Json shipped_json(const Experiment& experiment, const std::vector<ClaimDesign>& designs);

// Nothing when the release has no such experiment. Throws a usage Error when the file is damaged.
std::optional<Json> shipped_registration(const std::string& experiment);

}  // namespace khost
