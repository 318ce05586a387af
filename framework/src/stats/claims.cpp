#include "stats/claims.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <set>

#include "khost/hash.hpp"
#include "khost/random.hpp"
#include "khost/signal.hpp"
#include "manifest/measure.hpp"
#include "manifest/record_path.hpp"

namespace khost {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

using Unit = std::pair<std::int64_t, std::uint64_t>;  // base draw and seed: what pairs arms

// A run's records, by base, arm, draw and seed.
class Results {
 public:
  explicit Results(const std::vector<TrialResult>& trials) {
    for (const TrialResult& t : trials) of_[{t.key.base, t.key.arm}][{t.key.draw, t.key.seed}] = &t;
  }

  const std::map<Unit, const TrialResult*>& of(const std::string& base, const std::string& arm) const {
    static const std::map<Unit, const TrialResult*> none;
    const auto found = of_.find({base, arm});
    return found == of_.end() ? none : found->second;
  }

 private:
  std::map<std::pair<std::string, std::string>, std::map<Unit, const TrialResult*>> of_;
};

double value_of(const TrialResult& trial, const std::string& label) {
  const RecordSeries* series = trial.find(label);
  return series && series->has_whole() ? series->whole() : nan;
}

// One record of a measure: where it is, and its full name without globs.
struct Source {
  std::string base, arm, label;  // label: "snr/drift/0"
};

class Judging {
 public:
  Judging(const Claim& claim, const std::string& base, const Results& results) : results_(results) {
    for (const Let& let : claim.let) {
      bool many = let.paths.size() != 1 && let.least.empty();
      std::vector<Source> sources = sources_of(let.paths, base, many);
      if (!let.least.empty()) sources = {chosen(let, sources, sources_of(let.least, base, many))};
      sources_.push_back(std::move(sources));
      names_.push_back(many ? Measure::Name(let.name, 0) : Measure::Name(let.name));
      permuted_.push_back(std::ranges::find(claim.permute, let.name) != claim.permute.end());
    }
    measure_.emplace(claim.measure, names_, claim.place);
  }

  const std::vector<std::string>& choices() const { return choices_; }
  bool permutes() const { return std::ranges::find(permuted_, true) != permuted_.end(); }

  // For each name the order in which its list is taken, shuffled where it is to be permuted.
  using Orders = std::vector<std::vector<int>>;
  Orders shuffled(Random& random) const {
    Orders orders;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      std::vector<int>& order = orders.emplace_back(sources_[i].size());
      std::iota(order.begin(), order.end(), 0);
      if (permuted_[i]) random.shuffle(order);
    }
    return orders;
  }

  // One seed's measure with its lists in these orders.
  double in_order(const JudgedClaim::Seed& seed, const Orders& orders) const {
    const Unit unit{seed.draw, seed.seed};
    return at([&](const Source& s) { return value_of(*results_.of(s.base, s.arm).at(unit), s.label); }, &orders);
  }

  // Per seed that every arm of the claim has.
  std::vector<JudgedClaim::Seed> seeds(std::string& problem) const {
    std::vector<Source> all;
    for (const auto& list : sources_) all.insert(all.end(), list.begin(), list.end());
    if (!nothing_to_choose_by_.empty()) problem = "nothing says which record '" + nothing_to_choose_by_ + "' is to be";
    std::vector<JudgedClaim::Seed> out;
    for (const Unit& unit : nothing_to_choose_by_.empty() ? units_of(all) : std::vector<Unit>{}) {
      const double value = at([&](const Source& s) {
        const TrialResult& trial = *results_.of(s.base, s.arm).at(unit);
        if (trial.status == "done") return value_of(trial, s.label);
        if (problem.empty()) problem = "arm '" + s.arm + "' failed with seed " + std::to_string(unit.second);
        return nan;
      });
      out.push_back({unit.first, unit.second, value});
    }
    if (out.empty() && problem.empty()) problem = "its arms have no seed in common";
    return out;
  }

  std::vector<std::string> without_null(const NullsByArm& nulls) const {
    std::vector<std::string> out;
    for (const auto& list : sources_)
      for (const Source& s : list) {
        const NullDraws* draws = nulls_on(nulls, s.base, s.arm);
        if (draws && draws->records.contains(s.label)) continue;
        std::string path = s.arm + "/" + s.label;
        if (draws && std::ranges::any_of(draws->nothing_sampled, [&](const std::string& pattern) {
              return pattern.ends_with("/*") ? s.label.starts_with(pattern.substr(0, pattern.size() - 1))
                                             : matches_record(pattern, s.label);
            }))
          path += " (nothing is sampled on a fixed batch)";
        if (std::ranges::find(out, path) == out.end()) out.push_back(path);
      }
    return out;
  }

  // One seed's measure under noise: for each probe of each arm one joint draw, picked by `random`. The noise of two arms has
  // nothing in common, nor has that of two probes.
  double under_noise(const NullsByArm& nulls, Random& random) const {
    std::map<std::string, std::size_t> picked;
    return at([&](const Source& s) {
      const NullDraws& draws = *nulls_on(nulls, s.base, s.arm);
      const auto [index, is_new] = picked.try_emplace(s.base + "/" + s.arm + "/" + s.label.substr(0, s.label.find('/')));
      if (is_new) index->second = static_cast<std::size_t>(random.below(static_cast<std::uint64_t>(draws.count)));
      return static_cast<double>(draws.records.at(s.label)[index->second]);
    });
  }

  int draws(const NullsByArm& nulls) const {
    const Source& first = sources_.front().front();
    return nulls_on(nulls, first.base, first.arm)->count;
  }

 private:
  template <class Value>
  double at(Value&& value, const Orders* orders = nullptr) const {
    std::vector<std::vector<double>> values;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      auto& one = values.emplace_back();
      for (std::size_t k = 0; k < sources_[i].size(); ++k)
        one.push_back(value(sources_[i][orders ? static_cast<std::size_t>((*orders)[i][k]) : k]));
    }
    return (*measure_)(std::span<const std::vector<double>>(values));
  }

  // `many` becomes true where a path stands for several records.
  std::vector<Source> sources_of(const std::vector<std::string>& paths, const std::string& base, bool& many) const {
    std::vector<Source> sources;
    for (const std::string& text : paths) {
      const RecordPath path = *parse_record_path(text);  // the manifest was checked
      const std::string label = path.probe + "/" + path.record;
      const std::string& on = path.base.empty() ? base : path.base;
      if (label.find('*') == std::string::npos) {
        sources.push_back({on, path.arm, label});
      } else {
        many = true;
        for (std::string& one : expanded(on, path.arm, label)) sources.push_back({on, path.arm, std::move(one)});
      }
    }
    return sources;
  }

  // Draws and seeds that the arms of all sources have.
  std::vector<Unit> units_of(const std::vector<Source>& sources) const {
    std::optional<std::vector<Unit>> units;
    for (const Source& s : sources) {
      std::vector<Unit> own, both;
      for (const auto& [unit, trial] : results_.of(s.base, s.arm)) own.push_back(unit);
      if (units)
        std::ranges::set_intersection(*units, own, std::back_inserter(both));
      else
        both = own;
      units = both;
    }
    return units.value_or(std::vector<Unit>{});
  }

  // Of `sources` the one whose record in `by` has the least mean over the seeds that all have. One that is missing on a seed
  // is no candidate.
  Source chosen(const Let& let, const std::vector<Source>& sources, const std::vector<Source>& by) {
    const std::vector<Unit> units = units_of(by);
    std::size_t best = 0, candidates = 0;
    double least = nan;
    for (std::size_t i = 0; i < by.size(); ++i) {
      double sum = units.empty() ? nan : 0;
      for (const Unit& unit : units) {
        const TrialResult& trial = *results_.of(by[i].base, by[i].arm).at(unit);
        sum += trial.status == "done" ? value_of(trial, by[i].label) : nan;
      }
      const double mean = sum / static_cast<double>(units.size());
      candidates += std::isfinite(mean);
      if (std::isfinite(mean) && !(mean >= least)) best = i, least = mean;
    }
    if (candidates == 0) {
      nothing_to_choose_by_ = let.name;
      choices_.push_back(let.name + ": nothing to choose by");
      return sources[0];
    }
    choices_.push_back(let.name + " is of " + sources[best].arm + ", one of " + std::to_string(candidates) +
                       (candidates < by.size() ? " (of " + std::to_string(by.size()) + "; the others lack a figure)" : "") +
                       ", by the mean of " + by[best].label + " over seeds");
    return sources[best];
  }

  // The records that a pattern names, in the order in which a trial makes them.
  std::vector<std::string> expanded(const std::string& base, const std::string& arm, const std::string& pattern) const {
    std::vector<std::string> out;
    for (const auto& [unit, trial] : results_.of(base, arm)) {
      if (trial->status != "done") continue;
      for (const RecordSeries& s : trial->series)
        if (const std::string label = s.label(); s.has_whole() && patterns_meet(pattern, label)) out.push_back(label);
      break;
    }
    return out;
  }

  const Results& results_;
  std::vector<std::vector<Source>> sources_;
  std::vector<Measure::Name> names_;
  std::vector<bool> permuted_;        // of names: shuffled for the null
  std::vector<std::string> choices_;  // what was chosen, in words
  std::string nothing_to_choose_by_;  // the name of a choice that cannot be made, else ""
  std::optional<Measure> measure_;
};

// Noise is the seeds' own figures, the lists shuffled: alike in all seeds of a replicate, since what is listed (a matrix, a
// layer) is the same in all of them and what is its own does not average out over seeds.
void set_permuted(JudgedClaim& judged, const ClaimRule& rule, const Measured& measured, const Judging& judging) {
  constexpr int count = 1000;
  std::vector<JudgedClaim::Seed> there;
  for (const JudgedClaim::Seed& s : judged.seeds)
    if (std::isfinite(s.value)) there.push_back(s);
  if (there.empty()) return;
  Random random(0, judged.claim->id, "null of its measure");
  std::vector<double> singles;
  for (int i = 0; i < count; ++i) {
    const JudgedClaim::Seed& seed = there[random.below(there.size())];
    singles.push_back(judging.in_order(seed, judging.shuffled(random)));
  }
  judged.null = band_of(std::move(singles));
  guard_by_null(judged.verdict, rule, measured, count, [&](std::int64_t r, std::span<double> values) {
    Random own(static_cast<std::uint64_t>(r), judged.claim->id, "replicate of the null");
    const auto orders = judging.shuffled(own);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = std::isfinite(judged.seeds[i].value) ? judging.in_order(judged.seeds[i], orders) : nan;
  });
}

void set_null(JudgedClaim& judged, const ClaimRule& rule, const Measured& measured, const Judging& judging,
              const NullsByArm& nulls) {
  if (judging.permutes()) return set_permuted(judged, rule, measured, judging);
  judged.without_null = judging.without_null(nulls);
  if (!judged.without_null.empty() || measured.values.empty()) return;
  const int count = judging.draws(nulls);
  Random random(0, judged.claim->id, "null of its measure");
  std::vector<double> singles;
  for (int i = 0; i < count; ++i) singles.push_back(judging.under_noise(nulls, random));
  judged.null = band_of(std::move(singles));
  guard_by_null(judged.verdict, rule, measured, count, [&](std::int64_t r, std::span<double> values) {
    Random own(static_cast<std::uint64_t>(r), judged.claim->id, "replicate of the null");
    for (double& v : values) v = judging.under_noise(nulls, own);
  });
}

}  // namespace

Json let_of(const Claim& claim) {
  Json let{Json::Object{}};
  const auto list = [](const std::vector<std::string>& paths) { return Json(Json::List(paths.begin(), paths.end())); };
  for (const Let& one : claim.let)
    let.set(one.name, one.least.empty() ? list(one.paths) : Json::object({{"of", list(one.paths)}, {"least", list(one.least)}}));
  return let;
}

std::string hash_of(const Claim& claim) {
  Json fixed = Json::object({{"let", let_of(claim)},
                             {"measure", claim.measure},
                             {"scale", claim.scale},
                             {"predicts", claim.predicts},
                             {"margin", claim.margin}});
  if (!claim.permute.empty()) fixed.set("permute", detail::to_json(claim.permute));
  return short_hash(fixed.canonical());
}

std::vector<std::string> bases_of(const Claim& claim, const Experiment& experiment) {
  if (std::ranges::any_of(claim.paths(), [](const std::string& path) { return path.starts_with('@'); })) return {""};
  std::vector<std::string> bases;
  for (const BaseRecipe& base : experiment.bases) bases.push_back(base.name);
  return bases;
}

std::vector<JudgedClaim> judge_claims(const Experiment& experiment, const std::vector<TrialResult>& trials,
                                      const NullsByArm& nulls, const std::map<std::string, Standing>& standings,
                                      const CountLook& count_look) {
  const Results results(trials);
  std::vector<JudgedClaim> judged;
  std::vector<Judging> judgings;
  std::vector<FamilyMember> family;
  for (const Claim& claim : experiment.claims) {
    for (const std::string& base : bases_of(claim, experiment)) {
      JudgedClaim& one = judged.emplace_back();
      one.claim = &claim;
      one.base = base;
      one.hash = hash_of(claim);
      if (const auto standing = standings.find(claim.id); standing != standings.end()) one.standing = standing->second;
      FamilyMember& member = family.emplace_back();
      member.rule = {parse_prediction(claim.predicts, claim.place), claim.margin, claim.scale == "log"};
      judgings.emplace_back(claim, base, results);
      one.seeds = judgings.back().seeds(member.measured.problem);
      one.choices = judgings.back().choices();
      for (const JudgedClaim::Seed& s : one.seeds) {
        member.measured.values.push_back(s.value);
        member.measured.draws.push_back(static_cast<int>(s.draw));
      }
      if (one.standing.fixed && count_look) member.look = count_look(one, can_decide(member.rule, member.measured));
    }
  }
  std::vector<Verdict> verdicts = judge_family(family);
  for (std::size_t i = 0; i < judged.size(); ++i) {
    judged[i].verdict = std::move(verdicts[i]);
    set_null(judged[i], family[i].rule, family[i].measured, judgings[i], nulls);
  }
  return judged;
}

}  // namespace khost
