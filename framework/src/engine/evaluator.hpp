// A trial's losses on windows of held-out text.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "engine/batches.hpp"
#include "engine/trial_weights.hpp"
#include "graph/program.hpp"

namespace khost {

// Whether passes over so many tokens cost less with W + dW formed once before them, K m n multiplications a matrix, than with x V
// and its product with U' in each of them, K (m + n) a token. Of the model's shapes and the text alone: losses at alpha = 0 are
// shared by the arms of a base, so the arms' ranks must not decide how they are computed. Never of adapters that are written in
// operations, which are computed as they are written.
bool merges_for(double tokens, const std::vector<Parameter>& parameters, bool written);

// The weights of a trial with what its adapters add to them, in f32.
class MergedWeights {
 public:
  explicit MergedWeights(const TrialWeights& of);
  MergedWeights(const MergedWeights&) = delete;  // slots point into it

  const std::vector<WeightSlot>& slots() const { return slots_; }  // without adapters
  void form(Backend& backend);                                     // from what the trial's are now

 private:
  const TrialWeights& of_;
  std::vector<WeightSlot> slots_;
  std::vector<Tensor> values_;  // by parameter; empty where there is no adapter
  Tensor scratch_;
};

class Evaluator {
 public:
  // All of them outlive it.
  Evaluator(const Model& model, const TrialWeights& weights, std::int64_t sequence, Backend& backend)
      : model_(model), weights_(weights), sequence_(sequence), backend_(backend) {}

  // The mean loss in nats, of what the adapters have been given last.
  double loss(const WindowSet& windows);

 private:
  const Model& model_;
  const TrialWeights& weights_;
  const std::int64_t sequence_;
  Backend& backend_;
  std::optional<MergedWeights> merged_;                        // made when it is first used, as are
  std::map<std::pair<std::int64_t, bool>, Program> programs_;  // by their batch, and whether weights are merged
};

}  // namespace khost
