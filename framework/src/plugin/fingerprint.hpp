// Compares the build of a plugin with the host's, "abi=1;sdk=9f2c...;compiler=gcc-12;...".
#pragma once

#include <string>
#include <string_view>

namespace khost {

struct FingerprintDifference {
  std::string text;  // "its compiler is clang-14, khost's is gcc-12"; "" when the two agree
  std::string mend;  // what to do about it
};

// The first part, in the host's order, that differs.
FingerprintDifference first_difference(std::string_view plugin, std::string_view host);

}  // namespace khost
