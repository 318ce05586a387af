// What a trial can show to a probe, and what a policy can change: one table of each. What a declaration may name
// (check_signals.hpp), `khost inspect --signals` and docs/plugins/signals.md come from here.
#pragma once

#include <span>
#include <string_view>

namespace khost {

struct KnownSignal {
  std::string_view name;
  std::string_view arrays;  // which there are, and how each is called
  std::string_view shape;   // of each; B windows of T tokens, W [m, n] a matrix, K its rank
  std::string_view unit;    // as of records; "" of what is not measured
  std::string_view what;
  std::string_view from;  // who provides it
  std::string_view cost;  // beside the step itself, at the steps at which it is read; "" none
};
std::span<const KnownSignal> known_signals();
const KnownSignal* find_signal(std::string_view name);  // null when there is none; for good

struct Changeable {
  std::string_view name;
  std::string_view by;  // the call that it allows
  std::string_view what;
};
std::span<const Changeable> changeable_things();

}  // namespace khost
