// An entry that is right but for what CHANGE does to it.
#pragma once

#include <algorithm>
#include <string_view>

#include "khost/plugin.hpp"

#define KHOST_BAD_PLUGIN(DESCRIPTOR, CHANGE)                                          \
  static constexpr khost_descriptor bad_descriptors[] = {DESCRIPTOR};                 \
  extern "C" {                                                                        \
  extern __attribute__((visibility("default"))) const khost_entry khost_plugin_entry; \
  constinit const khost_entry khost_plugin_entry = [] {                               \
    khost_entry e = khost::detail::entry(bad::fingerprint.text, bad_descriptors, 1);  \
    CHANGE;                                                                           \
    return e;                                                                         \
  }();                                                                                \
  }

namespace bad {

constexpr khost::detail::Fingerprint fingerprint = khost::detail::fingerprint(khost::detail::only(khost::Kind::probe));

// Changes the fingerprint's part KEY=... to KEY=VALUE, as another build would have it.
constexpr void set_part(khost_entry& e, std::string_view key, std::string_view value) {
  const std::string_view before = fingerprint.text;
  const std::size_t begin = before.find(key), end = std::min(before.find(';', begin), before.size());
  std::size_t at = begin;
  for (const std::string_view text : {key, value, before.substr(end)})
    for (const char c : text) e.fingerprint[at++] = c;
  while (at < sizeof e.fingerprint) e.fingerprint[at++] = 0;
}

// Does nothing.
struct Idle : khost::Probe {
  struct Config {};
  explicit Idle(const Config&) {}
  static void declare(khost::Signals&, const Config&) {}
};

// A static initialiser that ends the process: the refusal must come before it runs.
struct Bomb {
  Bomb() { __builtin_trap(); }
};

}  // namespace bad
