// One trial: base, data, adapters, steps, signals, probes, records.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "compute/backend.hpp"
#include "engine/base_models.hpp"
#include "engine/result.hpp"
#include "engine/trained.hpp"

namespace khost {

struct TrialMonitor {
  std::function<void(std::int64_t step, double loss)> step;  // after each training step
  std::function<bool()> interrupted;                         // asked before each
  std::string checkpoint = {};                               // the file for it; "": none is kept
  double checkpoint_period = 30;                             // seconds
  std::function<void(TrainedTrial)> trained = {};            // after the final losses, where somebody wants what was trained
};

// What all trials of a run share; outlives them.
struct TrialContext {
  const Experiment& experiment;
  const Materials& materials;
  const Plan& plan;
  BaseModels& base_models;
};

// A record of a finished trial that this one needs, by "ARM/PROBE/RECORD"; NaN when it is missing. Throws a trial Error when
// there is no such record.
using UpstreamRecord = std::function<double(std::string_view path)>;

// Runs it on the calling thread (and its OpenMP threads), from its checkpoint where there is one; artifacts go to `folder`.
// Throws: a trial Error with arm, base, seed and step, a plugin Error likewise, or an interrupted Error, when the step in hand is
// done and the checkpoint kept.
TrialResult run_trial(const TrialContext& context, const PlannedTrial& trial, const UpstreamRecord& upstream, Backend& backend,
                      const std::string& folder, const TrialMonitor& monitor);

}  // namespace khost
