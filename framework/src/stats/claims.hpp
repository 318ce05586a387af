// A run's claims: their measures seed by seed, their verdicts, and what the same measures are under noise.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/nulls.hpp"
#include "engine/result.hpp"
#include "manifest/experiment.hpp"
#include "stats/summary.hpp"
#include "stats/verdict.hpp"

namespace khost {

struct JudgedClaim {
  const Claim* claim = nullptr;
  std::string base;  // on which it was judged; "" when its paths name bases of their own
  struct Seed {
    std::int64_t draw;
    std::uint64_t seed;
    double value;  // of the measure; NaN: missing
  };
  std::vector<Seed> seeds;
  Verdict verdict;
  std::optional<Band> null;               // the measure of single seeds under noise, where all its records have a null
  std::vector<std::string> without_null;  // records it needs that have none: they leave the verdict without a guard
  std::string hash;                       // of the claim as it was fixed before the run
  Json before = {};                       // its earlier text, when it was changed after trials existed; else null
};

// Its names, each with the list of its records' paths.
Json let_of(const Claim& claim);

// Short hash of what a claim fixes: its measure, records, scale, prediction and margin. Words do not count.
std::string hash_of(const Claim& claim);

// Every claim on every base, in the manifest's order; Holm over all of them. `nulls` by arm.
std::vector<JudgedClaim> judge_claims(const Experiment& experiment, const std::vector<TrialResult>& trials,
                                      const std::map<std::string, NullDraws>& nulls);

}  // namespace khost
