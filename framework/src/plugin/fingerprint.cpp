#include "plugin/fingerprint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace khost {
namespace {

struct Setting {
  std::string_view key, words, mend;
};

// In words, and what brings the two together. {} is the host's value. "sdk" is of each "sdk.KIND".
constexpr std::array settings{
    Setting{"abi", "SDK ABI version", rebuild_hint},
    Setting{"sdk", "SDK headers' hash", rebuild_hint},
    Setting{"compiler", "compiler", "rebuild the plugin with {}, the compiler that built khost (CMAKE_CXX_COMPILER)"},
    Setting{"std", "C++ standard", "rebuild the plugin as {} (CMAKE_CXX_STANDARD)"},
    Setting{"cxx11abi", "libstdc++ ABI flag", "rebuild the plugin with -D_GLIBCXX_USE_CXX11_ABI={}"},
    Setting{"debug", "_GLIBCXX_DEBUG", "rebuild the plugin with the same setting of _GLIBCXX_DEBUG"},
    Setting{"rtti", "RTTI", "rebuild the plugin with -frtti, as khost is"},
    Setting{"asan", "AddressSanitizer", "build khost and the plugin both with -fsanitize=address, or neither"},
    Setting{"tsan", "ThreadSanitizer", "build khost and the plugin both with -fsanitize=thread, or neither"},
};

// The parts of a fingerprint, KEY=VALUE, until `f` says that it has seen enough.
template <class F>
void each_part(std::string_view fingerprint, F&& f) {
  while (!fingerprint.empty()) {
    const std::string_view part = fingerprint.substr(0, fingerprint.find(';'));
    const std::size_t equals = part.find('=');
    if (equals != std::string_view::npos && f(part.substr(0, equals), part.substr(equals + 1))) return;
    fingerprint.remove_prefix(std::min(fingerprint.size(), part.size() + 1));
  }
}

std::optional<std::string_view> value_of(std::string_view fingerprint, std::string_view key) {
  std::optional<std::string_view> found;
  each_part(fingerprint, [&](std::string_view name, std::string_view value) {
    if (name == key) found = value;
    return found.has_value();
  });
  return found;
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

bool names_kind(std::string_view fingerprint, Kind kind) {
  return value_of(fingerprint, std::string("sdk.") + name_of(kind)).has_value();
}

std::string host_fingerprint(std::string_view plugin) {
  detail::Kinds all = 0, named = 0;
  for (std::uint32_t i = 0; i < std::size(detail::sdk_hashes); ++i) {
    const auto kind = static_cast<Kind>(i);
    all |= detail::only(kind);
    if (names_kind(plugin, kind)) named |= detail::only(kind);
  }
  return detail::fingerprint(named ? named : all).text;
}

FingerprintDifference first_difference(std::string_view plugin, std::string_view host) {
  if (plugin == host) return {};
  FingerprintDifference difference{"its fingerprint has another form", std::string(rebuild_hint)};
  each_part(host, [&](std::string_view key, std::string_view ours) {
    const auto theirs = value_of(plugin, key);
    const auto setting = std::ranges::find(settings, key.substr(0, key.find('.')), &Setting::key);
    if (theirs == ours || setting == settings.end()) return false;
    const std::string our_words = in_words(key, ours);
    difference = {fmt::format("its {} is {}, khost's is {}", setting->words, in_words(key, theirs), our_words),
                  fmt::format(fmt::runtime(setting->mend), our_words)};
    return true;
  });
  return difference;
}

}  // namespace khost
