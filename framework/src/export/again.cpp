#include "export/again.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <optional>
#include <set>

#include "artifact/temporary.hpp"
#include "core/interrupt.hpp"
#include "engine/prepare.hpp"
#include "engine/trial.hpp"
#include "report/text.hpp"
#include "run/executor.hpp"
#include "run/housekeeping.hpp"
#include "store/earlier.hpp"

namespace khost {
namespace {

constexpr std::size_t most_differences = 6;

std::string without_trial(const TrialKey& key) {
  return "base " + key.base + (key.draw ? " (draw " + std::to_string(key.draw) + ")" : "");
}

// The first of those that the choice takes, when all have one `name`.
const TrialResult& the_one(const Run& run, const RecordChoice& choice, const char* what,
                           const std::function<std::string(const TrialKey&)>& name, const std::string& options) {
  check_trials(run, choice);
  const TrialResult* found = nullptr;
  std::vector<std::string> names;
  for (const TrialResult& trial : run.trials) {
    if (!choice.takes(trial.key)) continue;
    if (!found) found = &trial;
    if (const std::string own = name(trial.key); std::ranges::find(names, own) == names.end()) names.push_back(own);
  }
  if (!found) throw Error(ErrorKind::usage, std::string("this run has no ") + what + " of all these names together");
  if (names.size() == 1) return *found;
  throw Error(ErrorKind::usage, fmt::format("one {} is exported at a time, and {} fit: {}, {}{}", what, names.size(), names[0],
                                            names[1], names.size() > 2 ? ", ..." : ""))
      .hint("name one by " + options);
}

// What the session needs of a run: its manifest as it was resolved, and what computed its trials.
SessionOptions options_of(const RunReader& reader, const Run& run) {
  SessionOptions options;
  options.manifest = reader.folder() + "/run.db";
  options.resolved = run.manifest;
  options.backend = run.environment.backend;
  options.threads = run.environment.threads;
  options.workers = Workers::threads;
  return options;
}

// For what a trial's probes write: those of the run are its artifacts already.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& near) : path_(temporary_name(near)) { std::filesystem::create_directories(path_); }
  ~ScratchFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

const TrialResult& one_trial(const Run& run, const RecordChoice& choice) {
  const TrialResult& trial = the_one(
      run, choice, "trial", [](const TrialKey& key) { return key.text(); }, "--arm, --base, --seed and --draw");
  if (trial.status == "failed")
    throw Error(ErrorKind::usage, trial.key.text() + " failed, and trained nothing to export: " + one_line(trial.message));
  if (trial.status != "done")
    throw Error(ErrorKind::usage, trial.key.text() + " is not finished: " + trial.status)
        .hint("the same command goes on with the run: " + run.command);
  return trial;
}

const TrialResult& one_base(const Run& run, const RecordChoice& choice) {
  return the_one(run, choice, "base", without_trial, "--base and --draw");
}

bool RunAgain::Trained::same_loss() const {
  return std::bit_cast<std::uint64_t>(trial.final) == std::bit_cast<std::uint64_t>(recorded);
}

RunAgain::RunAgain(const RunReader& reader, const Run& run, RunListener& listener)
    : reader_(reader),
      run_(run),
      session_(options_of(reader, run), listener),
      artifact_backend_(session_.artifact_backend.make_in_parts(session_.artifact_threads)),
      base_models_(
          session_.experiment, *session_.materials, session_.cache, *artifact_backend_,
          [&listener](const PlannedBase& base, const BaseProgress& p) { listener.base(base, p); }, interrupted) {
  enter_cache(session_.cache.root(), [&listener](std::string_view text) { listener.message(text); });
}

const PlannedTrial& RunAgain::planned(const TrialKey& key) const {
  const auto found = std::ranges::find(session_.plan.trials, key, &PlannedTrial::key);
  if (found == session_.plan.trials.end())
    throw Error(ErrorKind::usage, "the manifest in " + reader_.folder() + "/run.db plans no trial " + key.text());
  return *found;
}

std::shared_ptr<const Weights> RunAgain::base(const TrialKey& key, bool with_arm) {
  const PlannedTrial& trial = planned(key);
  const PlannedBase& base = session_.plan.bases[trial.base];
  const auto made = std::ranges::find_if(run_.bases, [&](const BaseMade& b) { return b.name == key.base && b.draw == key.draw; });
  if (made != run_.bases.end() && made->hash != base.hash)
    session_.listener.message("warning: " + without_trial(key) +
                              " is not that of the run: khost, a plugin, a file or this machine is another by now");
  if (!base_models_.cached(base)) session_.listener.message(without_trial(key) + " is not in the cache, and is made again");
  prepare({session_.experiment, *session_.materials, session_.plan, base_models_}, session_.artifact_threads,
          [&](const PlannedTrial& t) { return &t != &trial; });
  return with_arm ? base_models_.weights(base, *trial.arm) : base_models_.weights(base);
}

RunAgain::Trained RunAgain::train(const TrialResult& of) {
  const PlannedTrial& trial = planned(of.key);
  Trained out;
  if (const RecordSeries* final = of.find("loss/final"); final && final->has_whole()) out.recorded = final->whole();
  if (trial.hash != of.hash)
    for (const RunReader::Identity& before : reader_.identities())
      if (before.key == of.key) out.differences = differences(before.identity, trial.identity);
  session_.listener.message(fmt::format("{}: a run keeps no trained weights, so it is computed again; the run took {} for it",
                                        of.key.text(), duration_text(of.seconds)));
  for (std::size_t i = 0; i < out.differences.size(); ++i) {
    if (i == most_differences) {
      session_.listener.message(fmt::format("  and {} more", out.differences.size() - i));
      break;
    }
    session_.listener.message((i == 0 ? "warning: it is not computed with what the run computed it with:\n  " : "  ") +
                              out.differences[i]);
  }
  base(of.key, true);

  Task task{0, 0, &trial};
  for (const std::size_t need : trial.needs) {
    const auto found = std::ranges::find(run_.trials, session_.plan.trials[need].key, &TrialResult::key);
    if (found != run_.trials.end()) task.needs.push_back(&*found);
  }
  const auto backend = session_.backend.make(session_.threads);
  const ScratchFolder folder(session_.cache.root() + "/trials/exported");
  std::optional<TrainedTrial> trained;
  TrialMonitor monitor;
  monitor.step = [](std::int64_t, double) {};
  monitor.interrupted = interrupted;
  monitor.trained = [&](TrainedTrial t) { trained = std::move(t); };
  run_trial(
      {session_.experiment, *session_.materials, session_.plan, base_models_}, trial,
      [&](std::string_view path) { return record_of_needs(task, path); }, *backend, folder.path(), monitor);
  out.trial = std::move(trained.value());
  return out;
}

}  // namespace khost
