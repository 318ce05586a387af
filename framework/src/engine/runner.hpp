// Runs a plan's trials, several at a time, and keeps what finishes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/backends.hpp"
#include "engine/trial.hpp"

namespace khost {

// Called from the jobs' threads, one call at a time per function.
struct RunnerHooks {
  std::function<std::optional<TrialResult>(const std::string& hash)> find;  // a finished trial, from an earlier run
  std::function<std::string(const std::string& hash)> begin;                // a folder for a new one's artifacts
  std::function<void(const std::string& folder, const TrialResult&)> keep;
  std::function<void(const std::string& folder)> discard;
  std::function<void(int job, const PlannedTrial&)> started;
  std::function<void(int job, std::int64_t step, double loss)> stepped;
  std::function<void(int job, const TrialResult&)> finished;  // done, failed or found
  std::function<bool()> interrupted;
};

struct RunnerOutcome {
  std::vector<TrialResult> trials;  // in plan order; without those that an interruption left undone
  bool interrupted = false;
};

// A failed trial is a result with status "failed"; the others go on. A base that cannot be built fails its trials.
RunnerOutcome run_trials(const TrialContext& context, const BackendChoice& backend, int jobs, int threads,
                         const RunnerHooks& hooks);

}  // namespace khost
