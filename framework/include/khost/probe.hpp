// Probes read signals and emit records; policies also change something.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "khost/random.hpp"
#include "khost/signal.hpp"
#include "khost/state.hpp"
#include "khost/tensor.hpp"

namespace khost {

// A value that could not be computed (a standard deviation of zero, say): shown as missing, never as a number.
inline constexpr double missing = std::numeric_limits<double>::quiet_NaN();

// Of the values that are not missing; missing when there are none.
struct Mean {
  double sum = 0;
  std::int64_t n = 0;
  void add(double value) {
    if (!std::isnan(value)) sum += value, ++n;
  }
  double value() const { return n ? sum / static_cast<double>(n) : missing; }
};

// An adaptable matrix of this trial's model.
struct AdaptedMatrix {
  std::string name;                           // "layer.0.attn.qkv"
  std::int64_t rows = 0, cols = 0, rank = 0;  // m, n, K; K = 0: it carries no adapter
  int layer = -1;                             // -1: the embedding
  Shape alpha = {};                           // [K] of a diagonal core, [K, K] of a block; empty without a core
};

struct TrialInfo {
  std::string arm, base;
  std::int64_t draw = 0;  // of the base
  std::uint64_t seed = 0;
  std::int64_t steps = 0;
  std::int64_t batch = 0, sequence = 0;  // B, T
  std::vector<AdaptedMatrix> matrices;   // all adaptable ones, in the model's parameter order
  std::string basis, core;               // of the adapter: "svd", "diagonal"; "" without one
  bool fresh = false;                    // every step has a batch of its own; else all steps share one
  bool trains_factors = false;           // U and V are trained too, and do not stay orthonormal

  // Of a matrix's alpha. Where a test made the matrix by hand: as a core of that name has it.
  Shape alpha_shape(const AdaptedMatrix& m) const {
    if (m.rank == 0 || !m.alpha.empty()) return m.alpha;
    return core == "block" ? Shape{m.rank, m.rank} : Shape{m.rank};
  }
};

// Of a probe that knows two forms of alpha: is it [K, K], a block, and not [K], a diagonal? Throws a usage Error, for begin(),
// that names an arm whose core has another.
bool has_block_core(const TrialInfo& trial);

// Steps of a manifest are counted from 1, as papers do: step 1 sees the gradient before any update, which is Step::index() 0.
// These are the indices, for at(); and a usage Error that names those of them that the trial does not reach, for begin().
std::vector<std::int64_t> indices_of_steps(std::vector<std::int64_t> steps);
void require_steps(const TrialInfo& trial, const std::vector<std::int64_t>& steps);

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

// The adapters' cores (khost/core.hpp), one vector per matrix in TrialInfo::matrices' order: alpha [K] of a diagonal or of
// factors U, alpha, V; C [K, K] row-major of a block. Empty where K = 0.
using Alphas = std::vector<std::vector<float>>;

// Values for what an adapter of any kind trains, by the names of the arrays of signal `adapter`: "layer.0.attn.qkv/alpha",
// "layer.0.attn.qkv/B".
using AdapterValues = std::map<std::string, std::vector<float>, std::less<>>;

// How a trial came out: losses in nats per token on its own batch and on held-out text, before and after training.
struct Outcome {
  double base = 0, final = 0;
  double held_out_base = missing, held_out_final = missing;       // missing without held-out windows
  std::int64_t adapter_parameters = 0, trainable_parameters = 0;  // sum of K (m + n); what the optimizer updates, at most
};

// After the last update. Valid during conclude() only. Nothing here changes the trial's result.
class Trial : public Records {
 public:
  virtual const TrialInfo& info() const = 0;
  virtual const Alphas& alphas() const = 0;  // as trained
  virtual const Outcome& outcome() const = 0;
  virtual std::vector<double> displacement() = 0;  // ||dW||_F of each matrix: how far training moved it from the base
  // Loss in nats per token with these alphas. On `train` it is of the trial's own batch, with fresh data the first step's: the
  // one that outcome() is measured on, so that evaluate(alphas()) is outcome().final and differences mean something. On
  // `held_out` and `calibration` of the windows that the manifest's "data" says, the same for every arm and seed:
  // evaluate(alphas(), held_out) is outcome().held_out_final. Throws a plugin Error for a part that declare() did not name.
  virtual double evaluate(const Alphas& alphas, Part part) = 0;
  double evaluate(const Alphas& alphas) { return evaluate(alphas, Part::train); }
  // The same for an adapter of any kind, or none: these values, and as trained whatever is not named. Throws a plugin Error for a
  // name that signal `adapter` has not, or another number of values.
  virtual double evaluate_adapter(const AdapterValues& values, Part part) = 0;
  virtual AdapterValues adapter() const = 0;  // all of them, as trained
  // Visits `count` independent training batches at fixed alphas: visit(i, loss, gradient of alpha), i from 0. As in training the
  // gradient is 0 for dims that a policy has switched off (StepPlan::set_rank).
  // The batches are the trial seed's own, the same for every arm.
  using Visit = std::function<void(std::int64_t i, double loss, const Alphas& gradient)>;
  virtual void gradients(const Alphas& alphas, std::int64_t count, const Visit& visit) = 0;
  virtual Random random(std::string_view purpose) = 0;  // keyed by seed, instance and purpose
  // A safetensors file NAME-<base>-<arm>-<seed>.safetensors in the run's artifacts folder.
  virtual void write_artifact(std::string_view name, std::span<const NamedArray> arrays) = 0;

 protected:
  ~Trial() = default;
};

// One joint draw of a probe's records under its null: what noise alone would give at a trial's shapes. What is noise in a trial
// is its batch: where all steps share one (TrialInfo::fresh is false), so does a draw's noise. Valid during null() only.
class NullDraw : public Records {
 public:
  virtual const TrialInfo& trial() const = 0;   // shapes, ranks and steps; its seed is the draw's number
  virtual const Signals& declared() const = 0;  // by this probe
  virtual Random& random() = 0;                 // this draw's own stream
  // One of `size` results of make(), picked by this draw's stream: for what is dear to draw and needed for many matrices of one
  // shape. The pool is made once for all draws of the probe, each entry with a stream of its own; `name` must tell all that
  // make() depends on.
  using Make = std::function<std::vector<double>(Random&)>;
  virtual const std::vector<double>& pick(const std::string& name, std::int64_t size, const Make& make) = 0;

 protected:
  ~NullDraw() = default;
};

// One instance per trial; calls come from one thread.
class Probe {
 public:
  virtual ~Probe();
  // Instead of a trial: records what noise alone would give, for the records whose null declare() names (Signals::null). Called
  // on an instance of its own for each draw. khost/nulls.hpp makes most of them one line.
  virtual void null(NullDraw& draw);
  virtual void begin(const TrialInfo& trial);
  virtual void observe(const Step& step);  // only at steps for which something is needed
  virtual void conclude(Trial& trial);
  // What has been gathered since begin(), between two steps: written when a checkpoint of the trial is made, and read, after
  // begin(), when a trial that was broken off goes on. A probe that does not override it has its trials begun anew, but for one
  // that neither observes a step nor is a policy.
  virtual void state(State& s);
};

// Records of finished trials that this one needs: those of the arms in its arm's "needs", on the same base, draw and seed.
class Upstream {
 public:
  virtual const TrialInfo& trial() const = 0;  // this trial, with the ranks of its manifest
  // `path` as a claim would name it, ARM/PROBE/RECORD; must match one of the policy's declared reads. NaN when missing.
  virtual double record(std::string_view path) const = 0;
  virtual Random& random() const = 0;  // keyed by seed, instance and "resolve"

 protected:
  ~Upstream() = default;
};

// What a policy may change before a step. Valid during before_step() only.
class StepPlan {
 public:
  virtual std::int64_t index() const = 0;
  virtual const TrialInfo& trial() const = 0;
  // Needs modify("alpha.scale"): K multipliers of matrix i's alpha for this step's forward and backward pass, 1 unless
  // set; of a block, of C's columns.
  virtual std::span<float> alpha_scale(std::size_t matrix) = 0;
  // Needs modify("alpha"): alpha_k of matrix i, as trained so far, is 0 from now on, and is trained on; of a block, column k of
  // C. What the optimizer has gathered for it stays.
  virtual void reset_alpha(std::size_t matrix, std::int64_t k) = 0;
  // Needs modify("alpha.rank"): from this step on only the first K dims of matrix i are trained and used. Alphas of dims that
  // stay are kept; those beyond are set to 0, as are those that come back later. 0 <= K <= TrialInfo's rank.
  virtual void set_rank(std::size_t matrix, std::int64_t K) = 0;
  // Needs modify("optimizer.state"): before this step's update the optimizer forgets all it has gathered.
  virtual void reset_optimizer() = 0;
  virtual Random& random() = 0;  // this policy's own stream; continues from step to step

 protected:
  ~StepPlan() = default;
};

class Policy : public Probe {
 public:
  // Before bases are cut to rank and before begin(); `ranks` holds K per matrix and may be changed by a policy that declares
  // modify("adapter.rank"). The host refuses a rank below 0 or above min(m, n).
  virtual void resolve(const Upstream& upstream, std::vector<std::int64_t>& ranks);
  virtual void before_step(StepPlan& plan);
};

}  // namespace khost
