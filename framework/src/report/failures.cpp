#include "report/failures.hpp"

#include <algorithm>
#include <tuple>

namespace khost {
namespace {

// Trials of one arm on one draw of a base that failed alike.
struct Alike {
  TrialKey key;  // of the first
  std::vector<std::uint64_t> seeds;
};

std::string seeds_text(std::vector<std::uint64_t> seeds) {
  std::ranges::sort(seeds);
  std::string text;
  for (std::size_t i = 0; i < seeds.size();) {
    std::size_t end = i + 1;
    while (end < seeds.size() && seeds[end] == seeds[end - 1] + 1) ++end;
    text += (i ? ", " : "") + std::to_string(seeds[i]);
    if (end - i > 1) text += (end - i > 2 ? "-" : ", ") + std::to_string(seeds[end - 1]);
    i = end;
  }
  return (seeds.size() == 1 ? "seed " : "seeds ") + text;
}

std::string text_of(const Alike& alike) {
  const std::string first = alike.key.text();
  return first.substr(0, first.rfind("seed ")) + seeds_text(alike.seeds);
}

// Without the trial's own seed, which may be spoken of: "arm er, seed 3 needs arm B, whose trial failed".
std::string without_seed(const TrialResult& trial) {
  std::string text = trial.message;
  const std::string own = "seed " + std::to_string(trial.key.seed);
  if (const std::size_t at = text.find(own); at != std::string::npos) text.replace(at, own.size(), "seed");
  return text;
}

}  // namespace

std::vector<Failure> failures_of(const Run& run) {
  struct Group {
    std::string common;
    Failure failure;
    std::vector<Alike> trials;
  };
  std::vector<Group> groups;
  for (const TrialResult& trial : run.trials) {
    if (trial.status != "failed") continue;
    const std::string common = without_seed(trial);
    auto group = std::ranges::find(groups, common, &Group::common);
    if (group == groups.end()) group = groups.insert(group, {common, {"", trial.message}, {}});
    ++group->failure.count;
    const auto place = [](const TrialKey& k) { return std::tie(k.arm, k.base, k.draw); };
    const auto same = [&](const Alike& a) { return place(a.key) == place(trial.key); };
    auto alike = std::ranges::find_if(group->trials, same);
    if (alike == group->trials.end()) alike = group->trials.insert(alike, {trial.key, {}});
    alike->seeds.push_back(trial.key.seed);
  }
  std::vector<Failure> failures;
  for (Group& group : groups) {
    constexpr std::size_t most = 3;  // named one by one
    for (std::size_t i = 0; i < std::min(most, group.trials.size()); ++i)
      group.failure.trials += (i ? "; " : "") + text_of(group.trials[i]);
    if (group.trials.size() > most) group.failure.trials += "; and " + std::to_string(group.trials.size() - most) + " more";
    failures.push_back(std::move(group.failure));
  }
  return failures;
}

}  // namespace khost
