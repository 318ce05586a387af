// Probes read signals and emit records; policies also change something.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "khost/random.hpp"
#include "khost/signal.hpp"
#include "khost/tensor.hpp"

namespace khost {

// A value that could not be computed (a standard deviation of zero, say): shown as missing, never as a number.
inline constexpr double missing = std::numeric_limits<double>::quiet_NaN();

// An adapted matrix of this trial.
struct AdaptedMatrix {
  std::string name;                           // "layer.0.attn.qkv"
  std::int64_t rows = 0, cols = 0, rank = 0;  // m, n, K
  int layer = -1;                             // -1: the embedding
};

struct TrialInfo {
  std::string arm, base;
  std::int64_t draw = 0;  // of the base
  std::uint64_t seed = 0;
  std::int64_t steps = 0;
  std::int64_t batch = 0, sequence = 0;  // B, T
  std::vector<AdaptedMatrix> matrices;   // in the model's parameter order
};

// Where records go. `name` must match one of the probe's declared emits; units are declared there.
class Records {
 public:
  virtual void record(std::string_view name, double value) = 0;                     // one per trial
  virtual void record(std::string_view name, std::int64_t step, double value) = 0;  // a series over steps

 protected:
  ~Records() = default;
};

// After the backward pass of a step and before its update. Valid during observe() only.
class Step {
 public:
  virtual std::int64_t index() const = 0;  // from 0
  virtual const TrialInfo& trial() const = 0;
  // Throws a plugin Error for a signal that the probe did not declare, or not for this step.
  virtual const Signal& operator[](std::string_view signal) const = 0;
  // A figure of this step; `name` must match one of the probe's declared emits.
  virtual void record(std::string_view name, double value) const = 0;

 protected:
  ~Step() = default;
};

// One vector per adapted matrix, in TrialInfo::matrices' order: the diagonals alpha.
using Alphas = std::vector<std::vector<float>>;

// After the last update. Valid during conclude() only. Nothing here changes the trial's result.
class Trial : public Records {
 public:
  virtual const TrialInfo& info() const = 0;
  virtual const Alphas& alphas() const = 0;  // as trained
  virtual double evaluate(
      const Alphas& alphas) = 0;  // loss in nats per token on the trial's own batch (the last one, when fresh)
  // Visits `count` independent training batches at fixed alphas: visit(i, loss, gradient of alpha), i from 0.
  // The batches are the trial seed's own, the same for every arm.
  using Visit = std::function<void(std::int64_t i, double loss, const Alphas& gradient)>;
  virtual void gradients(const Alphas& alphas, std::int64_t count, const Visit& visit) = 0;
  virtual Random random(std::string_view purpose) = 0;  // keyed by seed, instance and purpose
  // A safetensors file NAME-<base>-<arm>-<seed>.safetensors in the run's artifacts folder.
  virtual void write_artifact(std::string_view name, std::span<const NamedArray> arrays) = 0;

 protected:
  ~Trial() = default;
};

// One instance per trial; calls come from one thread.
class Probe {
 public:
  virtual ~Probe();
  virtual void begin(const TrialInfo& trial);
  virtual void observe(const Step& step);  // only at steps for which something is needed
  virtual void conclude(Trial& trial);
};

// What a policy may change before a step. Valid during before_step() only.
class StepPlan {
 public:
  virtual std::int64_t index() const = 0;
  virtual const TrialInfo& trial() const = 0;
  // Needs modify("alpha.scale"): K multipliers of matrix i's alpha for this step's forward and backward pass, 1 unless set.
  virtual std::span<float> alpha_scale(std::size_t matrix) = 0;
  virtual Random& random() = 0;  // this policy's own stream; continues from step to step

 protected:
  ~StepPlan() = default;
};

class Policy : public Probe {
 public:
  virtual void before_step(StepPlan& plan) = 0;
};

}  // namespace khost
