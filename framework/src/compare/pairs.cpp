#include "compare/pairs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "compare/shown.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

using Identity = RunReader::Identity;

void add(std::vector<std::string>& names, const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

std::vector<std::string> arms_of(const std::vector<Identity>& trials) {
  std::vector<std::string> arms;
  for (const Identity& t : trials) add(arms, t.key.arm);
  return arms;
}

void check_arms(const std::map<std::string, std::string>& arms, const std::vector<Identity>& first,
                const std::vector<Identity>& second) {
  const auto check = [](const std::string& arm, const std::vector<std::string>& there, const char* which) {
    if (std::ranges::find(there, arm) == there.end())
      throw Error(ErrorKind::usage, fmt::format("--arms: the {} run has no arm '{}'", which, arm))
          .hint(nearest_and_all(arm, there, "arms"));
  };
  const std::vector<std::string> of_first = arms_of(first), of_second = arms_of(second);
  for (const auto& [a, b] : arms) check(a, of_first, "first"), check(b, of_second, "second");
}

using ArmOnBase = std::pair<std::string, std::string>;  // base and arm

// Trials of arms that both runs have, in a line for those that are the same seeds: mostly all arms'.
class BySeeds {
 public:
  void add(const TrialKey& key) { seeds_[{key.base, key.arm}][key.draw].push_back(key.seed); }

  // `arms`: how many arms there are, those counted on each base.
  std::vector<std::string> texts(std::size_t arms) const {
    std::map<std::string, std::vector<std::string>> by_seeds;
    for (const auto& [arm, draws] : seeds_) by_seeds[text_of(draws)].push_back(arm.first + "/" + arm.second);
    std::vector<std::string> out;
    for (const auto& [seeds, of] : by_seeds)
      out.push_back(seeds + " of " + (of.size() == arms && arms > 1 ? "all arms" : fmt::format("{}", fmt::join(of, ", "))));
    return out;
  }

 private:
  using Draws = std::map<std::int64_t, std::vector<std::uint64_t>>;

  // "seed 2", "seeds 0, 3 to 9 of draw 1"
  static std::string text_of(const Draws& draws) {
    std::vector<std::string> out;
    for (auto [draw, seeds] : draws) {
      std::ranges::sort(seeds);
      std::vector<std::string> ranges;
      for (std::size_t i = 0, end = 0; i < seeds.size(); i = end) {
        for (end = i + 1; end < seeds.size() && seeds[end] == seeds[end - 1] + 1;) ++end;
        if (end - i > 2)
          ranges.push_back(fmt::format("{} to {}", seeds[i], seeds[end - 1]));
        else
          for (std::size_t k = i; k < end; ++k) ranges.push_back(std::to_string(seeds[k]));
      }
      out.push_back(fmt::format("seed{} {}{}", seeds.size() == 1 ? "" : "s", fmt::join(ranges, ", "),
                                draw ? fmt::format(" of draw {}", draw) : ""));
    }
    return fmt::format("{}", fmt::join(out, " and "));
  }

  std::map<ArmOnBase, Draws> seeds_;
};

// Trials that have no counterpart: a base or an arm is named once, whatever its trials.
class Unpaired {
 public:
  // `bases`, `arms`: what the other run has, the arms by this run's names.
  Unpaired(const std::set<std::string>& bases, const std::set<ArmOnBase>& arms) : bases_(bases), arms_(arms) {}

  void add(const TrialKey& key) {
    ++all;
    if (!bases_.contains(key.base)) {
      ++of_base_[key.base];
    } else if (!arms_.contains({key.base, key.arm})) {
      khost::add(of_arm_[key.arm].bases, key.base);
      ++of_arm_[key.arm].trials;
    } else {
      of_seeds_.add(key);
    }
  }

  std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const auto& [base, trials] : of_base_) out.push_back(fmt::format("base {} ({})", base, counted(trials, "trial")));
    for (const auto& [arm, has] : of_arm_)
      out.push_back(fmt::format("arm {} on {} {} ({})", arm, has.bases.size() == 1 ? "base" : "bases", fmt::join(has.bases, ", "),
                                counted(has.trials, "trial")));
    for (std::string& text : of_seeds_.texts(arms_.size())) out.push_back(std::move(text));
    return out;
  }

  int all = 0;

 private:
  struct Arm {
    std::vector<std::string> bases;
    std::int64_t trials = 0;
  };
  const std::set<std::string>& bases_;
  const std::set<ArmOnBase>& arms_;
  std::map<std::string, std::int64_t> of_base_;
  std::map<std::string, Arm> of_arm_;
  BySeeds of_seeds_;
};

}  // namespace

std::string TrialPair::arm() const {
  return first->key.arm == second->key.arm ? first->key.arm : first->key.arm + "=" + second->key.arm;
}

Pairs pair_trials(const RunReader& first, const RunReader& second, const std::map<std::string, std::string>& arms,
                  Comparison& out) {
  Pairs pairs{first.identities(), second.identities(), {}};
  check_arms(arms, pairs.first, pairs.second);
  std::set<std::string> bases[2];
  std::set<ArmOnBase> has[2];
  std::map<TrialKey, const Identity*> by_key;
  for (const Identity& t : pairs.second) {
    by_key[t.key] = &t;
    bases[1].insert(t.key.base), has[1].insert({t.key.base, t.key.arm});
  }
  const auto counterpart = [&](const std::string& arm) {
    const auto mapped = arms.find(arm);
    return mapped == arms.end() ? arm : mapped->second;
  };
  std::set<ArmOnBase> answered[2];  // bases and arms that have a counterpart, by the own name
  for (const Identity& t : pairs.first) {
    bases[0].insert(t.key.base);
    const std::pair other(t.key.base, counterpart(t.key.arm));
    if (has[1].contains(other)) answered[0].insert({t.key.base, t.key.arm}), answered[1].insert(other);
  }

  Unpaired only_first(bases[1], answered[0]), only_second(bases[0], answered[1]);
  BySeeds unfinished[2];
  std::set<const Identity*> used;
  for (const Identity& t : pairs.first) {
    TrialKey key = t.key;
    key.arm = counterpart(key.arm);
    const auto found = by_key.find(key);
    if (found == by_key.end()) {
      only_first.add(t.key);
      continue;
    }
    const bool is_new = used.insert(found->second).second;
    if (!t.done) unfinished[0].add(t.key), ++out.first.unfinished_trials;
    if (is_new && !found->second->done) unfinished[1].add(found->second->key), ++out.second.unfinished_trials;
    if (t.done && found->second->done) pairs.finished.push_back({&t, found->second});
  }
  for (const Identity& t : pairs.second)
    if (!used.contains(&t)) only_second.add(t.key);
  out.first.unpaired = only_first.texts(), out.first.unpaired_trials = only_first.all;
  out.second.unpaired = only_second.texts(), out.second.unpaired_trials = only_second.all;
  out.first.unfinished = unfinished[0].texts(answered[0].size());
  out.second.unfinished = unfinished[1].texts(answered[1].size());
  out.pairs = static_cast<int>(pairs.finished.size());
  out.same_hash = static_cast<int>(std::ranges::count_if(pairs.finished, &TrialPair::same_hash));
  return pairs;
}

}  // namespace khost
