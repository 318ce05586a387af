// What becomes of trials between runs: a store finds finished ones, begins new ones and keeps what they leave.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "store/claim_ledger.hpp"
#include "store/trial_store.hpp"

namespace khost {

// Called by one thread at a time. What its calls throw costs the trial that they are for.
class Store {
 public:
  virtual ~Store() = default;
  // A finished trial, from this run or an earlier one.
  virtual std::optional<TrialResult> find(const PlannedTrial& trial) = 0;
  // Before its first step: a folder for its artifacts, to be given to keep() or discard().
  virtual std::string begin(const PlannedTrial& trial) = 0;
  // The file for its checkpoint, which keep() removes: what there is in it, after begin(), may be gone on from.
  virtual std::string checkpoint(const PlannedTrial& trial) = 0;
  virtual void keep(const std::string& folder, const TrialResult& result) = 0;
  virtual void discard(const std::string& folder) = 0;
};

// The cache, and beside it the ledger of who has seen which trial's data.
class CacheStore : public Store {
 public:
  // With `fresh` what an earlier run left counts for nothing, and is replaced; what stands in `computed` does count: experiments
  // of one series share it. The plan, registry and `computed` outlive it. Throws a usage Error when the cache cannot be written.
  CacheStore(const std::string& cache_root, const Plan& plan, const Registry& registry, bool fresh,
             std::set<std::string>& computed);

  bool has(const PlannedTrial& trial) const { return may_serve(trial.hash) && trials_.has(trial.hash); }
  std::optional<TrialResult> find(const PlannedTrial& trial) override;
  std::string begin(const PlannedTrial& trial) override;
  std::string checkpoint(const PlannedTrial& trial) override;
  void keep(const std::string& folder, const TrialResult& result) override;
  void discard(const std::string& folder) override { trials_.discard(folder); }

  const TrialStore& trials() const { return trials_; }
  const ClaimLedger& ledger() const { return ledger_; }
  const Shown& shown() const { return shown_; }

 private:
  bool may_serve(const std::string& hash) const { return !fresh_ || computed_.contains(hash); }

  std::string root_;
  TrialStore trials_;
  ClaimLedger ledger_;
  Shown shown_;
  bool fresh_;
  std::set<std::string>& computed_;
};

}  // namespace khost
