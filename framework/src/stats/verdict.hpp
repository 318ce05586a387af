// Verdicts on claims, by rules fixed before the run.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stats/rule.hpp"
#include "stats/summary.hpp"

namespace khost {

enum class VerdictKind { inconclusive, confirmed, falsified, explained_by_noise };
std::string_view verdict_name(VerdictKind kind);  // "explained by noise"

constexpr double family_alpha = 0.05;
constexpr int least_seeds = 6, least_draws = 3;
constexpr double noise_share = 0.05;  // of the null's replicates, from which on a verdict is explained by noise

// What a claim fixes before the run.
struct ClaimRule {
  Prediction prediction;
  double margin = 0;
  bool log_scale = false;
};

// S on the claim's scale: the prediction shrunk by the margin, and of that the logarithm for a claim on the log scale.
Region region_of(const ClaimRule& rule);

// The share of alpha that a claim's k-th look at new data has, k from 1: 0.8, then 0.1 and half as much each time, 1 in all. So
// that over all its looks, however many, a claim errs no oftener than its level says (decision 0011).
double look_share(int look);

// One claim on one base: its measure, one number per seed and base draw. NaN, and a value that is not finite, is missing.
struct Measured {
  std::vector<double> values;
  std::vector<int> draws;  // the base draw of each value; empty: all of one draw
  std::string problem;     // why there can be no verdict, when the host knows: "arm 'K64' failed"
};

// Share of seeds on the predicted side of "no difference", ties counted half, with Wilson's score interval at the claim's
// level. Seeds within a draw are not independent of it, so over several draws there is the share alone (NaN ends).
struct Improvement {
  double share, low, high;
};

// A verdict with its whole reasoning. The figures are in the measure's own units; NaN where there are none.
struct Verdict {
  VerdictKind kind = VerdictKind::inconclusive;
  std::string reason;                    // of an inconclusive verdict, when it is not just the interval's width
  double estimate, low, high;            // mean and t interval; on the log scale geometric mean, and an interval of logs
  double corrected_low, corrected_high;  // Hall's interval, which has to agree (stats/rule.hpp)
  double alpha = 0;                      // the interval's level is 1 - alpha
  int look = 0;                          // at the claim's data, from 1: alpha is this look's share; 0: looks are not counted
  double p = 1;                          // the least alpha at which it would be decided
  Prediction inner{};                    // S, in the measure's units
  int seeds = 0, draws = 0;              // values that are there; base draws they come from
  bool over_draws = false;               // the interval is over the means of base draws, not over seeds
  bool this_base_alone = false;          // one base draw: nothing is said about other bases of its kind
  // Values (base draws when over_draws, else seeds), in all, that would decide with a chance of 80 % if the mean and the
  // spread are what they seem, at the alpha of the next look. Of an inconclusive verdict only, and none when the estimate sits on
  // S's edge, when values are missing, or all equal.
  std::optional<std::int64_t> needed;
  std::optional<Improvement> improvement;  // of a difference predicted < 0 or > 0 (log scale: a ratio predicted < 1 or > 1)
  // The guard against noise, once it ran.
  VerdictKind before_null = VerdictKind::inconclusive;  // what the interval alone says
  std::optional<double> null_share;                     // of the null's replicates, which reach that; for confirmed and falsified
  std::optional<Band> null_estimates;                   // estimates of the null's replicates, in the measure's units
  bool outside_noise = false;                           // the interval does not meet that band
  bool no_guard = false;                                // a claim without a null
};

// The verdict at one level. Without a null yet: no_guard is set until guard_by_null ran.
//   confirmed     the interval lies in S
//   falsified     the interval does not meet S
//   inconclusive  otherwise, and always when: the host names a problem; a value is missing; a value on the log scale is not
//                 positive; S is empty; there are fewer than 6 seeds (in any draw), or exactly 2 base draws; or all
//                 values are equal ("no spread").
// From 3 base draws on the interval is over the draws' means, with draws - 1 degrees of freedom.
// `plan`: work out `needed`, which takes some milliseconds. `alpha` is that of this look.
Verdict judge(const ClaimRule& rule, const Measured& measured, double alpha, bool plan = true, int look = 0);

// Can there be a verdict at some level? Where there cannot, looking spends no alpha.
bool can_decide(const ClaimRule& rule, const Measured& measured);

// The claims x bases of one paper, each at its Holm level. p of each is the least alpha at which its interval decides, 1 where
// no alpha does (a problem, missing values and so on: such members count in m). By rising p (equal ones in their order), the
// i-th of m is judged at alpha / (m - i + 1), i from 1, as long as each is decided at its level. The first that is not ends it:
// it and all that follow are inconclusive, and are shown at that same level, the last one tested, so that every interval shown
// says by itself what its verdict is. A look's share is taken off each level: p over the share is a p that holds over all looks,
// and Holm's order is of those.
struct FamilyMember {
  ClaimRule rule;
  Measured measured;
  int look = 0;  // from 1; 0: not counted, the level is whole
};
std::vector<Verdict> judge_family(std::span<const FamilyMember> family, double alpha = family_alpha, bool plan = true);

// What the rule says at one level of replicates of the null's joint draws: fill(r, values) gives the measures of replicate r, as
// many and in the same order as those of `measured`. A replicate with a missing value reaches nothing, but counts.
struct Noise {
  double confirmed = 0, falsified = 0;  // shares of the replicates
  std::optional<Band> estimates;        // of the replicates, in the measure's units
};
using NullReplicate = std::function<void(std::int64_t r, std::span<double> values)>;
Noise noise_of(const ClaimRule& rule, const Measured& measured, double alpha, std::int64_t replicates, const NullReplicate& fill);

// What noise takes away (decision 0006); it is then explained by noise.
//   confirmed   when at least 5 % of its replicates confirm too (the claim was no test), or when the interval meets the band of
//               the replicates' estimates (the figure could be noise)
//   falsified   when both: that noise is wrong for the claim too takes nothing from figures that are not noise
void guard(Verdict& verdict, const Noise& noise);

// Both, with noise at the verdict's own level. No replicates: no guard.
void guard_by_null(Verdict& verdict, const ClaimRule& rule, const Measured& measured, std::int64_t replicates,
                   const NullReplicate& fill);
void guard_by_null(Verdict& verdict, const ClaimRule& rule, const Measured& measured,
                   const std::vector<std::vector<double>>& replicates);

}  // namespace khost
