// What was known when: which claims were registered, which trials have been started since, and who has looked at them.
//
//   $KHOST_CACHE/claims/registered/<hash>.json   an experiment's claims as they were fixed, their trials, and which data of
//   theirs
//                                                there was already
//   $KHOST_CACHE/claims/started/<trial>.json     a trial that was started, whether or not it finished, and what it shows
//   $KHOST_CACHE/claims/looks/<claim>/<k>.json   the seeds of a claim's k-th look, and what its trials show
//
// Every file is written once, under a name that follows from what it holds, and never changed: no number of processes at one
// cache can lose an entry, and an interrupted run leaves what it had entered.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "plan/plan.hpp"
#include "stats/claims.hpp"
#include "store/shown.hpp"

namespace khost {

class ClaimLedger {
 public:
  explicit ClaimLedger(const std::string& cache_root);

  // Call before the first trial. Registers the experiment's claims, unless they are, and tells how each stands to the trials of
  // the plan. `has`: is that trial in the store?
  std::map<std::string, Standing> enter(const Experiment& experiment, const Plan& plan, const Registry& registry,
                                        const Shown& shown, const std::function<bool(const std::string& hash)>& has) const;

  // Call before a trial's first step, or before its records are shown.
  void note_started(const PlannedTrial& trial, const Shown& shown) const;

  // As CountLook. A look that can decide is noted before it is told. The same seeds of other data are another look.
  int look(const JudgedClaim& claim, bool can_decide, const Plan& plan, const Shown& shown) const;

 private:
  std::string root_;
};

}  // namespace khost
