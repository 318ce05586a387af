// A trial of a run computed once more: runs keep what trials record, not what they train.
//
// What it takes is in run.db: the resolved manifest, the backend, the number of threads. Trials are deterministic, so where code
// and machine are still the same it is the same trial, and its final loss says so to the last bit.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/trained.hpp"
#include "engine/weights.hpp"
#include "report/chosen.hpp"
#include "run/session.hpp"

namespace khost {

// The only trial that the choice takes. Throws a usage Error: there are several, with what tells them apart; a name is unknown,
// with the nearest that there is; it is not finished; it failed, with why.
const TrialResult& one_trial(const Run& run, const RecordChoice& choice);
// The only base draw of the trials that the choice takes, as the first of them. Throws likewise; whether trials are finished does
// not matter.
const TrialResult& one_base(const Run& run, const RecordChoice& choice);

class RunAgain {
 public:
  // All three outlive it. Throws what a session throws: a plugin or a file that the manifest names is gone.
  RunAgain(const RunReader& reader, const Run& run, RunListener& listener);

  const Session& session() const { return session_; }
  const PlannedTrial& planned(const TrialKey& key) const;

  // The base that the trial stands on; `with_arm`: as the arm's model has it, which may have more tensors. Trained anew where it
  // is not in the cache.
  std::shared_ptr<const Weights> base(const TrialKey& key, bool with_arm);

  struct Trained {
    TrainedTrial trial;
    double recorded = 0;                   // final loss that the run has of it, in nats
    std::vector<std::string> differences;  // of what it is computed with, as sentences; none: it has the same hash
    bool same_loss() const;                // to the last bit
  };
  // `of` is a finished trial of the run. Says that it computes, and what differs. Throws as run_trial().
  Trained train(const TrialResult& of);

 private:
  const RunReader& reader_;
  const Run& run_;
  Session session_;
  std::unique_ptr<Backend> artifact_backend_;
  BaseModels base_models_;
};

}  // namespace khost
