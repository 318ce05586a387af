// A run's claims: their measures seed by seed, their verdicts, and what the same measures are under noise.
#pragma once

#include <cstdint>
#include <functional>
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

// How a claim stands to the data it reads: fixed before that, or made when some of it could be seen. store/claim_ledger.hpp
// tells.
struct Standing {
  bool fixed = false;
  std::string key = {};                   // of what was fixed: its looks are counted under it
  std::string registered = {};            // when and by what: "2026-11-27 02:40:11 UTC by /x/small.manifest"
  std::vector<std::string> against = {};  // why it is post hoc: "its margin was 0.1", "20 of its 40 trials are older"
  std::string note = {};                  // what a reader must know of a fixed one: "data of an earlier version exist"
  Json before = {};                       // the registered text, where this is an edited one; else null
  bool has_past = false;                  // it was fixed in time, but an earlier version of it has data: the note says which
};

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
  std::vector<std::string> choices;       // that the run made for it, in words: "k64 is of K64-lr0.02, one of 6, by ..."
  std::string hash;                       // of what the claim fixes
  Standing standing = {};
};

// Its names, each with the list of its records' paths.
Json let_of(const Claim& claim);

// Short hash of what a claim fixes: its measure, records, scale, prediction and margin. Words do not count.
std::string hash_of(const Claim& claim);

// The bases that it is judged on, one after the other; one "" when its paths name bases of their own.
std::vector<std::string> bases_of(const Claim& claim, const Experiment& experiment);

// Which look at its data this is, from 1, for a claim that was fixed before it. Looking again at the same seeds is no new look;
// one that cannot decide is not counted, but told which it would be.
using CountLook = std::function<int(const JudgedClaim& claim, bool can_decide)>;

// Every claim on every base, in the manifest's order; Holm over all of them. `nulls` by Arm::key(), `standings` by claim: one
// without is post hoc. Without `count_look` looks are not counted.
std::vector<JudgedClaim> judge_claims(const Experiment& experiment, const std::vector<TrialResult>& trials,
                                      const NullsByArm& nulls, const std::map<std::string, Standing>& standings = {},
                                      const CountLook& count_look = {});

}  // namespace khost
