// An entry that is right but for what CHANGE does to it.
#pragma once

#include "khost/plugin.hpp"

#define KHOST_BAD_PLUGIN(DESCRIPTOR, CHANGE)                                          \
  static constexpr khost_descriptor bad_descriptors[] = {DESCRIPTOR};                 \
  extern "C" {                                                                        \
  extern __attribute__((visibility("default"))) const khost_entry khost_plugin_entry; \
  constinit const khost_entry khost_plugin_entry = [] {                               \
    khost_entry e = khost::detail::entry(KHOST_FINGERPRINT, bad_descriptors, 1);      \
    CHANGE;                                                                           \
    return e;                                                                         \
  }();                                                                                \
  }

namespace bad {

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
