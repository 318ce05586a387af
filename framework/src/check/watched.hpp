// A probe in a trial, each of whose calls is looked at: does it leave alone what it may only read, and what all plugins share?
#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "check/test.hpp"
#include "khost/probe.hpp"

namespace khost::check {

struct Watch {
  std::atomic<int> calls = 0;
  std::atomic<bool> drew = false;       // from the stream of a null's draw
  std::atomic<bool> stateless = false;  // what it has gathered could not be written down
  std::mutex mutex;                     // nulls are drawn on several threads
  std::optional<Failure> first;         // what was found, in the call in which it happened first
};

// From now on every instance that this process makes of the plugin, a probe or policy, is looked at in each call. `declared` is
// what it declares; `into` outlives them. For a process of its own: it is not undone.
void watch(const Plugin& plugin, Signals declared, Watch& into);

}  // namespace khost::check
