#include "plugin/fingerprint.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

namespace khost {
namespace {

struct Part {
  std::string_view key, words, mend;
};

// In words, and what brings the two together. {} is the host's value.
constexpr std::array parts{
    Part{"abi", "SDK ABI version", rebuild_hint},
    Part{"sdk", "SDK headers' hash", rebuild_hint},
    Part{"compiler", "compiler", "rebuild the plugin with {}, the compiler that built khost (CMAKE_CXX_COMPILER)"},
    Part{"std", "C++ standard", "rebuild the plugin as {} (CMAKE_CXX_STANDARD)"},
    Part{"cxx11abi", "libstdc++ ABI flag", "rebuild the plugin with -D_GLIBCXX_USE_CXX11_ABI={}"},
    Part{"debug", "_GLIBCXX_DEBUG", "rebuild the plugin with the same setting of _GLIBCXX_DEBUG"},
    Part{"rtti", "RTTI", "rebuild the plugin with -frtti, as khost is"},
    Part{"asan", "AddressSanitizer", "build khost and the plugin both with -fsanitize=address, or neither"},
    Part{"tsan", "ThreadSanitizer", "build khost and the plugin both with -fsanitize=thread, or neither"},
};

std::optional<std::string_view> value_of(std::string_view fingerprint, std::string_view key) {
  while (!fingerprint.empty()) {
    const std::string_view part = fingerprint.substr(0, fingerprint.find(';'));
    if (part.size() > key.size() && part.starts_with(key) && part[key.size()] == '=') return part.substr(key.size() + 1);
    fingerprint.remove_prefix(std::min(fingerprint.size(), part.size() + 1));
  }
  return std::nullopt;
}

// As a person says it.
std::string in_words(std::string_view key, std::optional<std::string_view> value) {
  if (!value) return "not given";
  if (key == "std")
    for (const auto& [macro, name] : {std::pair("201402", "C++14"), std::pair("201703", "C++17"), std::pair("202002", "C++20")})
      if (*value == macro) return name;
  if (key == "debug" || key == "rtti" || key == "asan" || key == "tsan") {
    if (*value == "0") return "off";
    if (*value == "1") return "on";
  }
  return std::string(*value);
}

}  // namespace

FingerprintDifference first_difference(std::string_view plugin, std::string_view host) {
  if (plugin == host) return {};
  for (const Part& part : parts) {
    const auto theirs = value_of(plugin, part.key), ours = value_of(host, part.key);
    if (theirs == ours) continue;
    const std::string our_words = in_words(part.key, ours);
    return {fmt::format("its {} is {}, khost's is {}", part.words, in_words(part.key, theirs), our_words),
            fmt::format(fmt::runtime(part.mend), our_words)};
  }
  return {"its fingerprint has another form", std::string(rebuild_hint)};
}

}  // namespace khost
