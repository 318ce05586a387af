// What names a trial, and what a run computes with.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace khost {

struct TrialKey {
  std::string arm, base;
  std::int64_t draw = 0;  // of the base
  std::uint64_t seed = 0;

  std::string text() const;  // "arm K64, base trained, seed 3"
  auto operator<=>(const TrialKey&) const = default;
};

// What computes the products. Part of every trial's hash but for `khost`, `cpu` and `jobs`; of artifacts (bases) `threads` is
// not either, as their work is cut into `parts` whatever the number of threads.
struct Environment {
  std::string khost;  // version
  std::string backend, library, library_version, kernel;
  std::string cpu;
  int threads = 1;  // per trial
  int jobs = 1;
  std::string options = "{}";           // of the backend, as JSON
  int parts = 0;                        // of artifacts; 0: trials, whose work is cut by the number of threads
  int library_threads = 0;              // that the library uses of them, as it says itself; 0: it does not say
  std::vector<std::string> notes = {};  // what is worth knowing of the process and the choice of a backend: one sentence each
};

}  // namespace khost
