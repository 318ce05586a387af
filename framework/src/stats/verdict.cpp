#include "stats/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>

#include "stats/power.hpp"

namespace khost {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

// The values an interval is over, on the claim's scale, and what stands against a verdict on them.
struct Prepared {
  std::vector<double> values;
  std::string reason;
  int seeds = 0, draws = 0;
  bool plannable = true;  // more values would help
};

double scaled(const ClaimRule& rule, double v) { return rule.log_scale ? std::log(v) : v; }
double unscaled(const ClaimRule& rule, double v) { return rule.log_scale ? std::exp(v) : v; }

std::string counted(std::size_t n, const char* one, const char* many) { return fmt::format("{} {}", n, n == 1 ? one : many); }

Prepared prepare(const ClaimRule& rule, const Measured& measured) {
  if (!measured.draws.empty() && measured.draws.size() != measured.values.size())
    throw std::invalid_argument(
        fmt::format("{} measures came with {} base draws", measured.values.size(), measured.draws.size()));
  Prepared p;
  std::size_t missing = 0, not_positive = 0;
  std::map<int, std::vector<double>> by_draw;
  for (std::size_t i = 0; i < measured.values.size(); ++i) {
    std::vector<double>& draw = by_draw[measured.draws.empty() ? 0 : measured.draws[i]];
    const double v = measured.values[i];
    if (!std::isfinite(v))
      ++missing;
    else if (rule.log_scale && v <= 0)
      ++not_positive;
    else
      draw.push_back(scaled(rule, v));
  }
  p.draws = static_cast<int>(by_draw.size());
  std::size_t fewest = by_draw.empty() ? 0 : measured.values.size();
  for (const auto& [id, values] : by_draw) {
    p.seeds += static_cast<int>(values.size());
    fewest = std::min(fewest, values.size());
    if (p.draws == 1)
      p.values = values;
    else if (!values.empty())
      p.values.push_back(std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()));
  }
  const std::size_t all = measured.values.size();
  p.plannable = false;
  if (!measured.problem.empty())
    p.reason = measured.problem;
  else if (missing)
    p.reason = fmt::format("the measure is missing or not a finite number in {} of {}", missing, counted(all, "trial", "trials"));
  else if (not_positive)
    p.reason = fmt::format("the measure is not positive in {} of {}, and the log scale takes only what is", not_positive,
                           counted(all, "trial", "trials"));
  else if (region_of(rule).empty())
    p.reason = "nothing is left of the prediction once the margin is taken off";
  else {
    p.plannable = true;
    if (p.draws > 1 && p.draws < least_draws)
      p.reason = fmt::format("{} base draws: an interval over draws takes at least {}", p.draws, least_draws);
    else if (fewest < least_seeds)
      p.reason = counted(fewest, "seed", "seeds") + (p.draws > 1 ? " in a base draw" : "") +
                 fmt::format(": a verdict takes at least {}", least_seeds);
  }
  return p;
}

std::optional<Improvement> improvement(const ClaimRule& rule, const Measured& measured, double alpha, bool one_draw) {
  const double same = rule.log_scale ? 1 : 0;
  const bool below = rule.prediction.high == same && rule.prediction.low == -infinity;
  const bool above = rule.prediction.low == same && rule.prediction.high == infinity;
  if (!below && !above) return std::nullopt;
  double n = 0, better = 0;
  for (const double v : measured.values) {
    if (std::isnan(v)) continue;
    ++n;
    better += v == same ? 0.5 : (v < same) == below;
  }
  if (n == 0) return std::nullopt;
  const double share = better / n;
  if (!one_draw) return Improvement{share, nan, nan};
  const double z = boost::math::quantile(boost::math::complement(boost::math::normal(), alpha / 2));
  const double scale = 1 + z * z / n, centre = (share + z * z / (2 * n)) / scale;
  const double half = z / scale * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return Improvement{share, std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

// The rule on prepared values: what the guard repeats for each replicate.
Decision decision_of(const Prepared& p, const Region& region) {
  return p.reason.empty() ? decide(spread_of(p.values), region) : Decision{};
}

VerdictKind kind_at(const Decision& d, double alpha) {
  if (d.p > alpha) return VerdictKind::inconclusive;
  return d.inside ? VerdictKind::confirmed : VerdictKind::falsified;
}

}  // namespace

std::string_view verdict_name(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::confirmed:
      return "confirmed";
    case VerdictKind::falsified:
      return "falsified";
    case VerdictKind::explained_by_noise:
      return "explained by noise";
    case VerdictKind::inconclusive:
      break;
  }
  return "inconclusive";
}

Region region_of(const ClaimRule& rule) {
  const Prediction inner = shrunk(rule.prediction, rule.margin);
  Region r{inner.low, inner.high, rule.margin == 0 && (std::isinf(inner.low) || std::isinf(inner.high))};
  if (!rule.log_scale) return r;
  r.low = inner.low > 0 ? std::log(inner.low) : -infinity;
  r.high = inner.high > 0 ? std::log(inner.high) : -infinity;
  if (inner.high <= 0) r.low = infinity;  // no positive number is that small: empty
  return r;
}

double look_share(int look) { return look == 1 ? 0.8 : std::ldexp(0.2, 1 - look); }

bool can_decide(const ClaimRule& rule, const Measured& measured) {
  const Prepared p = prepare(rule, measured);
  return p.reason.empty() && spread_of(p.values).sd > 0;
}

Verdict judge(const ClaimRule& rule, const Measured& measured, double alpha, bool plan, int look) {
  const Prepared p = prepare(rule, measured);
  const Region region = region_of(rule);
  Verdict v{};
  v.alpha = alpha;
  v.look = look;
  v.inner = shrunk(rule.prediction, rule.margin);
  v.estimate = v.low = v.high = v.corrected_low = v.corrected_high = nan;
  v.seeds = p.seeds;
  v.draws = p.draws;
  v.over_draws = p.draws > 1;
  v.this_base_alone = p.draws == 1;
  v.no_guard = true;
  v.reason = p.reason;
  v.improvement = improvement(rule, measured, alpha, p.draws == 1);
  if (p.values.empty()) return v;
  const Spread spread = spread_of(p.values);
  v.estimate = unscaled(rule, spread.mean);
  if (spread.n < 2) return v;
  const Ends ends = student_interval(spread, alpha), corrected = hall_interval(spread, alpha);
  v.low = unscaled(rule, ends.low);
  v.high = unscaled(rule, ends.high);
  v.corrected_low = unscaled(rule, corrected.low);
  v.corrected_high = unscaled(rule, corrected.high);
  const Decision d = decision_of(p, region);
  v.p = d.p;
  v.kind = v.before_null = kind_at(d, alpha);
  if (v.kind != VerdictKind::inconclusive) return v;
  if (v.reason.empty() && spread.sd == 0)
    v.reason = fmt::format("no spread: {} have one value, and nothing says how far off it may be",
                           v.over_draws ? "all base draws" : "all seeds");
  if (v.reason.empty() && d.student_p <= alpha)
    v.reason = fmt::format(
        "the {} are skewed: corrected for it, the interval runs from {:.4g} to {:.4g}, and would not decide as the t interval "
        "does",
        v.over_draws ? "draws" : "seeds", v.corrected_low, v.corrected_high);
  if (plan && p.plannable)
    v.needed = values_needed(spread.mean, spread.sd, region, look ? alpha / look_share(look) * look_share(look + 1) : alpha,
                             v.over_draws ? least_draws : least_seeds);
  return v;
}

std::vector<Verdict> judge_family(std::span<const FamilyMember> family, double alpha, bool plan) {
  const std::size_t m = family.size();
  std::vector<double> p(m), share(m, 1);  // p over its look's share
  for (std::size_t i = 0; i < m; ++i) {
    if (family[i].look > 0) share[i] = look_share(family[i].look);
    p[i] = decision_of(prepare(family[i].rule, family[i].measured), region_of(family[i].rule)).p / share[i];
  }
  std::vector<std::size_t> order(m);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<Verdict> out(m);
  double level = 0;
  bool decided = true;
  for (std::size_t i = 0; i < m; ++i) {
    if (decided) level = alpha / static_cast<double>(m - i);
    decided = decided && p[order[i]] <= level;
    const FamilyMember& member = family[order[i]];
    out[order[i]] = judge(member.rule, member.measured, level * share[order[i]], plan, member.look);
  }
  return out;
}

Noise noise_of(const ClaimRule& rule, const Measured& measured, double alpha, std::int64_t replicates,
               const NullReplicate& fill) {
  const Region region = region_of(rule);
  const double share = 1 / static_cast<double>(replicates);
  Measured replicate{measured.values, measured.draws, ""};
  std::int64_t confirmed = 0, falsified = 0;
  std::vector<double> estimates;
  for (std::int64_t r = 0; r < replicates; ++r) {
    std::fill(replicate.values.begin(), replicate.values.end(), nan);
    fill(r, replicate.values);
    const Prepared p = prepare(rule, replicate);
    const VerdictKind kind = kind_at(decision_of(p, region), alpha);
    confirmed += kind == VerdictKind::confirmed, falsified += kind == VerdictKind::falsified;
    estimates.push_back(p.reason.empty() ? unscaled(rule, spread_of(p.values).mean) : nan);
  }
  return {share * static_cast<double>(confirmed), share * static_cast<double>(falsified), band_of(std::move(estimates))};
}

void guard(Verdict& verdict, const Noise& noise) {
  verdict.no_guard = false;
  if (verdict.before_null == VerdictKind::inconclusive) return;
  const bool falsified = verdict.before_null == VerdictKind::falsified;
  verdict.null_share = falsified ? noise.falsified : noise.confirmed;
  verdict.null_estimates = noise.estimates;
  verdict.outside_noise = noise.estimates && (verdict.low > noise.estimates->high || verdict.high < noise.estimates->low);
  const bool no_test = *verdict.null_share >= noise_share, could_be_noise = noise.estimates && !verdict.outside_noise;
  if (falsified ? no_test && could_be_noise : no_test || could_be_noise) verdict.kind = VerdictKind::explained_by_noise;
}

void guard_by_null(Verdict& verdict, const ClaimRule& rule, const Measured& measured, std::int64_t replicates,
                   const NullReplicate& fill) {
  if (replicates > 0) guard(verdict, noise_of(rule, measured, verdict.alpha, replicates, fill));
}

void guard_by_null(Verdict& verdict, const ClaimRule& rule, const Measured& measured,
                   const std::vector<std::vector<double>>& replicates) {
  guard_by_null(verdict, rule, measured, static_cast<std::int64_t>(replicates.size()),
                [&](std::int64_t r, std::span<double> values) {
                  const std::vector<double>& row = replicates[static_cast<std::size_t>(r)];
                  if (row.size() != values.size())
                    throw std::invalid_argument(
                        fmt::format("replicate {} of a null has {} measures; its claim has {}", r, row.size(), values.size()));
                  std::copy(row.begin(), row.end(), values.begin());
                });
}

}  // namespace khost
