// Who hears of a run while it goes: a terminal, a test, a log.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base_models.hpp"
#include "engine/result.hpp"

namespace khost {

// Called from the run's own thread, and for trials from those of its executor: started(), stepped() and finished() one call at a
// time, message() at any. What is thrown from message() and base() ends what is at hand: the run, or a trial; from a trial's
// calls, that trial, or its worker.
class RunListener {
 public:
  virtual ~RunListener() = default;

  // A sentence, or several lines, for people: what is being made, warnings, notes.
  virtual void message(std::string_view /*text*/) {}
  // An experiment's run begins: its name, and the hash that names the run. Before all else that is about it.
  virtual void run_begins(const std::string& /*experiment*/, const std::string& /*run_hash*/) {}

  // A step of a base in training; its last but rarely.
  virtual void base(const PlannedBase& /*base*/, const BaseProgress& /*progress*/) {}

  // All between these two is about a run's trials, and what they need: `workers` at a time.
  virtual void trials_begin(const Plan& /*plan*/, int /*workers*/) {}
  virtual void trials_end() {}

  // What came of a trial, or was found of it, before finished(): at any time, also several at once. May take a while.
  virtual void result(const TrialResult& /*result*/) {}

  // A worker (from 0) begins a trial of `steps` steps; a step of it (from 0) has this loss, in nats; a trial is over: done,
  // failed, or found in the store (then without started()).
  virtual void started(int /*worker*/, const TrialKey& /*key*/, std::int64_t /*steps*/) {}
  virtual void stepped(int /*worker*/, std::int64_t /*step*/, double /*loss*/) {}
  virtual void finished(int /*worker*/, const TrialResult& /*result*/) {}
};

}  // namespace khost
