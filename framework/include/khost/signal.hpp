// What probes need and emit, declared before anything runs, so that a run computes no more than is asked for.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "khost/part.hpp"
#include "khost/tensor.hpp"

namespace khost {

struct TrialInfo;

// At which steps, counted from 0: step 0 sees the loss before any update.
struct When {
  std::int64_t period = 1;  // every `period` steps from 0; 0: only `steps`
  std::vector<std::int64_t> steps;

  bool includes(std::int64_t step) const;
  bool operator==(const When&) const = default;
};
When every(std::int64_t period);
When at(std::vector<std::int64_t> steps);

// Does `name` fit a declared name, in which a part in <> stands for any text without '/'? "drift/<group>" fits "drift/0".
bool matches_record(std::string_view declared, std::string_view name);

// What a probe or policy declares. declare() is called from several threads, each with a Signals of its own; texts are copied.
class Signals {
 public:
  struct Need {
    std::string name;
    When when;
    bool operator==(const Need&) const = default;
  };
  struct Emit {
    std::string name;
    std::string unit;
    std::string doc;
    bool operator==(const Emit&) const = default;
  };
  // What noise alone would give for the records that match: the model of the noise in words, or why there is none.
  struct Null {
    std::string record;
    bool drawn = false;
    std::string text;
    bool fresh_only = false;  // drawn where every step has a batch of its own
    bool drawn_for(bool fresh) const { return drawn && (fresh || !fresh_only); }
    bool operator==(const Null&) const = default;
  };

  // Signals: loss, tokens, targets, weights, weight.grad, activation, activation.grad; of every adapter what it trains, adapter
  // and adapter.grad; of adapters of U and V also basis, alpha and alpha.grad.
  // One that is needed at({}), at no step, is one that conclude() relies on: need("alpha", at({})) for Trial::alphas().
  Signals& need(std::string_view signal, When when = every(1));
  // The base's own bases, whatever the arm's: signal "basis.svd" or "basis.random", at least the first min(rank, m, n) directions
  // of each matrix (more when another probe needs more). From the cache: it costs no decomposition.
  Signals& need_basis(std::string_view kind, std::int64_t rank, When when = every(1));
  // Policies with resolve(): a record of an arm that this one needs, "ARM/PROBE/RECORD", with parts in <> as in emit().
  Signals& read(std::string_view path);
  // A record this probe will make. A part in <> stands for any text without '/': "drift/<group>". Its full name is
  // ARM/INSTANCE/drift/0; one that begins with '/' stands beside the instance: "/grad/mean/<group>" is ARM/grad/mean/0. Names are
  // of letters, digits, '_', '.' and '-'; `unit` is "1" or made of nats, bits, dims, parameters, tokens, steps, batches, seconds
  // and bytes: "nats^2", "nats / 10^4 parameters". Throws a plugin Error for any other, or a name that is declared already.
  Signals& emit(std::string_view record, std::string_view unit, std::string_view doc);
  // Records, as in emit() (or "*" for all that nothing else names), of which null() makes draws, under a model of noise in words:
  // "iid Gaussian alpha gradients"; or which have no null, and why: both stand beside the figures.
  Signals& null(std::string_view record, std::string_view model);
  // Of which there is noise only where every step has a batch of its own ("reuse": "fresh"): on one fixed batch nothing is
  // sampled from step to step, and they have no null.
  Signals& null_if_fresh(std::string_view record, std::string_view model);
  Signals& no_null(std::string_view record, std::string_view reason);
  // The null of a record by its full declared or made name; null when nothing is said of it. Valid until
  // something more is declared.
  const Null* null_of(std::string_view record) const;
  // What conclude() will cost, for the plan: evaluations, which are forward passes on the trial's own batch or on all windows of
  // another part, and forward-and-backward passes on one batch. Only a part that is declared can be evaluated on.
  Signals& evaluations(std::int64_t count, Part part = Part::train);
  Signals& gradients(std::int64_t count);
  // For the plan too: how much work it does outside such passes, in decompositions of all adaptable matrices (svd_basis of each).
  Signals& decompositions(double count);
  // Policies: what they change: "alpha", "alpha.scale", "alpha.rank", "adapter.rank", "optimizer.state". Two policies of one arm
  // on one thing are refused.
  Signals& modify(std::string_view what);

  // During declare(): the trial that it is for, with the ranks of its manifest and seed 0; null where there is none (khost
  // inspect). For costs alone: what is needed, changed and recorded may not depend on it.
  const TrialInfo* trial = nullptr;

  std::vector<Need> needs;
  std::vector<Emit> emits;
  std::vector<Null> nulls;
  std::vector<std::string> modifies, reads;
  std::vector<std::pair<std::string, std::int64_t>> bases;  // kind, rank
  std::array<std::int64_t, 3> evaluation_counts{};          // by Part
  std::int64_t evaluation_count(Part part = Part::train) const { return evaluation_counts.at(static_cast<std::size_t>(part)); }
  std::int64_t gradient_count = 0;
  double decomposition_count = 0;
};

// One signal at one step: an array per matrix, in the model's parameter order. `loss` is one scalar, `tokens` and `targets`
// one [B, T] array each (i32); `basis`, "basis.svd" and "basis.random" two arrays a matrix, "NAME/U" [m, K] and
// "NAME/V" [n, K]. `weights` has every parameter of the model, as it is at this step; `weight.grad` the adaptable and the
// trained. `activation` and `activation.grad` have an array [B*T, C] for each value that the model exposes (Graph::expose), in
// its order. Its arrays are the trial's: valid during the call that it was shown to, for whichever of the plugin's threads.
class Signal {
 public:
  explicit Signal(std::vector<NamedArray> arrays) : arrays_(std::move(arrays)) {}
  auto begin() const { return arrays_.begin(); }
  auto end() const { return arrays_.end(); }
  std::size_t size() const { return arrays_.size(); }
  const NamedArray& operator[](std::size_t i) const { return arrays_[i]; }
  const ArrayView& at(std::string_view name) const;  // throws a plugin Error listing the names
  double scalar() const;                             // of a signal with one element

 private:
  std::vector<NamedArray> arrays_;
};

}  // namespace khost
