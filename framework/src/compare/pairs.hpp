// Which trials of two runs answer to which.
#pragma once

#include "compare/compare.hpp"

namespace khost {

struct TrialPair {
  const RunReader::Identity *first, *second;  // both finished
  bool same_hash() const { return first->hash == second->hash; }
  std::string arm() const;  // "K64", "K32=K64"
};

struct Pairs {
  std::vector<RunReader::Identity> first, second;  // what the pairs point into
  std::vector<TrialPair> finished;                 // in the first's order
};

// By base, draw, arm and seed. Says of the rest, in `out`, what is there once and what is not finished.
Pairs pair_trials(const RunReader& first, const RunReader& second, const std::map<std::string, std::string>& arms,
                  Comparison& out);

// How the identities of paired arms differ, apart from what is the environment's; then what of it is.
void compare_identities(const Pairs& pairs, Comparison& out);

// Manifests, environments, plugins, bases.
void compare_settings(const Run& first, const Run& second, Comparison& out);

std::vector<ComparedRecord> compare_records(const RunReader& first, const RunReader& second, const Pairs& pairs,
                                            const Tolerance& tolerance, std::vector<std::string>& notes);

}  // namespace khost
