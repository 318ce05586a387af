// Compares the build of a plugin with the host's, "abi=1;sdk.optimizer=9f2c...;compiler=gcc-12;...".
#pragma once

#include <string>
#include <string_view>

#include "khost/plugin.hpp"

namespace khost {

inline constexpr std::string_view rebuild_hint =
    "rebuild the plugin with this khost's SDK, framework/include; for a plugin in khost's own tree, ./bootstrap build does it";

// Is the plugin that has this fingerprint said to bring that kind?
bool names_kind(std::string_view fingerprint, Kind kind);

// The fingerprint that a plugin of the same kinds has to have; of all kinds where it names none that khost knows.
std::string host_fingerprint(std::string_view plugin);

struct FingerprintDifference {
  std::string text;  // "its compiler is clang-14, khost's is gcc-12"; "" when the two agree
  std::string mend;  // what to do about it
};

// The first part, in the host's order, that differs.
FingerprintDifference first_difference(std::string_view plugin, std::string_view host);

}  // namespace khost
