#include "engine/trial.hpp"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>

#include "core/interrupt.hpp"
#include "engine/adapters.hpp"
#include "engine/artifacts.hpp"
#include "engine/checkpoint.hpp"
#include "engine/evaluator.hpp"
#include "engine/probes.hpp"
#include "engine/trainer.hpp"
#include "engine/trial_text.hpp"
#include "engine/trial_weights.hpp"
#include "engine/written_adapters.hpp"
#include "khost/parallel.hpp"

namespace khost {

namespace {

using NamedArrays = std::vector<NamedArray>;

[[noreturn]] void not_finite(double loss, const Program& program) {
  throw Error(ErrorKind::trial, fmt::format("the loss became {}", std::isnan(loss) ? "NaN" : "infinite"))
      .hint("the first value that is not finite: " + program.first_non_finite())
      .hint("a smaller learning rate usually helps (optimizer.lr)");
}

// What probes are told, with the ranks that policies give.
TrialInfo resolved(const PlannedTrial& planned, const ArmShape& shape, Probes& probes, const UpstreamRecord& upstream) {
  TrialInfo info = info_of(planned.key, *planned.arm, shape);
  std::vector<std::int64_t> ranks;
  for (const AdaptedMatrix& m : info.matrices) ranks.push_back(m.rank);
  probes.resolve(info, upstream, ranks);
  for (std::size_t i = 0; i < ranks.size(); ++i) shape.give_rank(info.matrices[i], ranks[i]);
  return info;
}

// Of dL/dW on the trial's first batch, before any update.
std::shared_ptr<const Directions> gradient_directions(const Model& model, const std::shared_ptr<const Weights>& base,
                                                      const TrialInfo& info, const Batch& first, Backend& backend) {
  const TrialWeights plain(base, {}, MatrixGradients::yes, nullptr);
  Program program(model, plain.slots(), info.batch, info.sequence, backend);
  const double loss = program.forward(first.tokens, first.targets, Program::Gradients::alpha_and_weights);
  if (!std::isfinite(loss)) not_finite(loss, program);
  program.backward();
  std::vector<std::span<const float>> gradients;
  for (std::size_t i = 0; i < base->parameters.size(); ++i)
    if (base->parameters[i].adaptable) gradients.push_back(plain.gradient(i));
  auto made = std::make_shared<Directions>(gradients.size());
  parallel_for(static_cast<std::int64_t>(gradients.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const AdaptedMatrix& m = info.matrices[i];
      (*made)[i] = svd_basis(gradients[i], m.rows, m.cols, m.rank);
    }
  });
  return made;
}

std::shared_ptr<const Directions> directions_of(const Arm& arm, const PlannedBase& base, BaseModels& base_models,
                                                const Model& model, const TrialInfo& info, const Batch& first, Backend& backend) {
  if (!arm.adapter || arm.adapter->written) return std::make_shared<const Directions>();
  if (arm.adapter->basis != "gradient") return base_models.directions(base, arm.adapter->basis, info.matrices);
  return gradient_directions(model, base_models.weights(base, arm), info, first, backend);
}

// A trial while it runs.
class LiveTrial final : private TrialHost {
 public:
  LiveTrial(const TrialContext& context, const PlannedTrial& planned, const UpstreamRecord& upstream, Backend& backend,
            const std::string& folder, const TrialMonitor& monitor);
  TrialResult run();
  // Where it is: what went wrong there is said with it.
  std::string phase() const { return step_ < 0 || step_ >= shape_.steps ? phase_ : "step " + std::to_string(step_); }

 private:
  void measure_base();
  void train(Checkpoint& checkpoint);
  void step();
  void state(State& s);
  double seconds() const;
  double pass(const Batch& batch, const Alphas& alphas, Program::Gradients gradients);
  void evaluate_end();
  TrainedTrial trained() const;

  double measure(const Alphas& alphas, Part part);
  void record(const char* probe, const std::string& name, std::int64_t step, double value, const char* unit);
  void record_losses(std::int64_t after);
  void record_parameters();

  std::map<std::string, Signal> signal_table();
  NamedArrays directions_of_base(const std::string& kind);

  // TrialHost
  const TrialInfo& info() const override { return info_; }
  const Alphas& alphas() const override { return adapters_.alphas(); }
  const Outcome& outcome() const override { return outcome_; }
  const Signal* signal(const std::string& name) const override;
  double evaluate(const Alphas& alphas, Part part) override;
  double evaluate_adapter(const AdapterValues& values, Part part) override;
  AdapterValues adapter() const override;
  void gradients(const Alphas& alphas, std::int64_t count, const Trial::Visit& visit) override;
  std::vector<double> displacement() override { return weights_.displacement(); }
  std::span<float> alpha_scale(std::size_t matrix) override { return adapters_.scale(matrix); }
  void reset_alpha(std::size_t matrix, std::int64_t k) override { adapters_.reset(matrix, k); }
  void set_rank(std::size_t matrix, std::int64_t K) override;
  void reset_optimizer() override { trainer_.reset(); }
  void write_artifact(const std::string& name, std::span<const NamedArray> arrays) override { artifacts_.write(name, arrays); }

  const TrialContext& context_;
  const PlannedTrial& planned_;
  const PlannedBase& base_;
  const Arm& arm_;
  const ArmShape& shape_;
  const TrialMonitor& monitor_;
  Backend& backend_;

  // What it is made of, in the order in which it is made.
  const std::shared_ptr<const Weights> base_weights_;
  Probes probes_;
  const TrialInfo info_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();  // what is shared is there
  TrialText text_;
  Adapters adapters_;
  WrittenAdapters written_;
  TrialWeights weights_;
  Program program_;
  const std::shared_ptr<Optimizer> optimizer_;
  Trainer trainer_;
  TrialArtifacts artifacts_;
  Evaluator evaluator_;
  std::vector<std::shared_ptr<const Directions>> shown_directions_;  // what signals of the base's own bases point into
  float loss_f32_ = 0;                                               // of this step, as the signal shows it
  std::map<std::string, Signal> signals_;

  // How far it is, and what it leaves.
  const char* phase_ = "while it was set up";
  std::int64_t step_ = -1;  // of training; from the number of steps on, and below 0, `phase_` says more
  double last_loss_ = 0;    // of the step before
  std::int64_t adapter_steps_ = 0, trainable_steps_ = 0;  // parameters, summed over steps
  Outcome outcome_;
  std::map<Part, double> at_end_;  // losses of the trained alphas
  double seconds_before_ = 0;      // that it took before it was broken off
  SeriesSet series_;               // the engine's own records
  TrialResult result_;
};

LiveTrial::LiveTrial(const TrialContext& context, const PlannedTrial& planned, const UpstreamRecord& upstream, Backend& backend,
                     const std::string& folder, const TrialMonitor& monitor)
    : context_(context),
      planned_(planned),
      base_(context.plan.bases[planned.base]),
      arm_(*planned.arm),
      shape_(context.materials.arm(arm_)),
      monitor_(monitor),
      backend_(backend),
      base_weights_(context.base_models.weights(base_, arm_)),
      probes_(arm_.probes, context.materials.registry()),
      info_(resolved(planned, shape_, probes_, upstream)),
      text_(context.materials.data(arm_.data), arm_.data, arm_.reads(), planned.key.seed),
      adapters_(directions_of(arm_, base_, context.base_models, *shape_.model->model, info_, text_.first(), backend),
                with_core(shape_.adapter.get(), info_.matrices), shape_.core.get()),
      written_(shape_.adapter.get(), info_.matrices, *base_weights_, planned.key.seed),
      weights_(base_weights_, shape_.trains, probes_.needs("weight.grad") ? MatrixGradients::yes : MatrixGradients::no,
               &adapters_, &written_),
      program_(*shape_.model->model, weights_.slots(), arm_.data.batch, arm_.data.sequence, backend,
               Kept{probes_.needs("activation"), probes_.needs("activation.grad")}),
      optimizer_(
          create<Optimizer>(context.materials.registry().get(Kind::optimizer, arm_.optimizer.plugin), arm_.optimizer.config)),
      trainer_(*optimizer_, all_trained(adapters_, written_, weights_), shape_.steps),
      artifacts_(planned, info_, folder),
      evaluator_(*shape_.model->model, weights_, arm_.data.sequence, backend) {
  result_.key = planned.key;
  result_.hash = planned.hash;
  signals_ = signal_table();
  probes_.begin(*this);
}

TrialResult LiveTrial::run() {
  phase_ = "before the first step";
  Checkpoint checkpoint(monitor_.checkpoint, planned_.hash, monitor_.checkpoint_period);
  if (!checkpoint.resume([&](State& s) { state(s); })) {
    measure_base();
    step_ = 0;
  }
  train(checkpoint);
  phase_ = "after the last step";
  evaluate_end();
  if (monitor_.trained) monitor_.trained(trained());
  probes_.conclude();
  result_.series = series_.take();
  std::ranges::move(probes_.series().take(), std::back_inserter(result_.series));
  result_.artifacts = artifacts_.written();
  result_.status = "done";
  result_.seconds = seconds();
  return std::move(result_);
}

double LiveTrial::seconds() const {
  return seconds_before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
}

// ---- training ----

// From step_ on. An interruption waits for the step in hand, and loses nothing.
void LiveTrial::train(Checkpoint& checkpoint) {
  const auto write = [&](State& s) { state(s); };
  for (;; ++step_) {
    const bool at_end = step_ == shape_.steps;
    if (monitor_.interrupted()) {
      checkpoint.keep(write);
      throw Error(ErrorKind::interrupted, "interrupted");
    }
    // What comes after the last step is not for an interruption to wait for.
    if (at_end ? checkpoint.worth_keeping() : checkpoint.due()) checkpoint.keep(write);
    if (at_end) break;
    const Activity in_hand("the step in hand", Activity::Kind::step);
    step();
  }
  adapters_.unscale();
  record_parameters();
}

void LiveTrial::step() {
  if (step_ > 0) text_.next();
  adapters_.unscale();
  probes_.before_step(step_);
  const bool with_weights = weights_.trains_any() || probes_.needs("weight.grad", step_);
  last_loss_ =
      pass(text_.current(), adapters_.alphas(), with_weights ? Program::Gradients::alpha_and_weights : Program::Gradients::alpha);
  loss_f32_ = static_cast<float>(last_loss_);
  record("loss", "train", step_, last_loss_, "nats");
  probes_.observe(step_);
  trainer_.step();
  monitor_.step(step_, last_loss_);
  const std::int64_t adapter_now = adapters_.adapter_parameters() + written_.parameters(),
                     in_all = adapters_.trainable_parameters() + written_.parameters() + shape_.trained_weights();
  adapter_steps_ += adapter_now, trainable_steps_ += in_all;
  outcome_.adapter_parameters = std::max(outcome_.adapter_parameters, adapter_now);
  outcome_.trainable_parameters = std::max(outcome_.trainable_parameters, in_all);
  if (std::ranges::find(arm_.record_at, step_ + 1) != arm_.record_at.end()) record_losses(step_ + 1);
}

// Between two steps: all that is not as it was when the trial was set up.
void LiveTrial::state(State& s) {
  double took = seconds();
  s(step_, last_loss_, adapter_steps_, trainable_steps_, outcome_, took);
  if (s.reading()) seconds_before_ = took;
  series_.state(s);
  adapters_.state(s);
  trainer_.state(s);
  text_.state(s);
  probes_.state(s);
}

// Forward and backward: the loss, and the gradients of all that is trained; none for dims that a schedule has switched off.
double LiveTrial::pass(const Batch& batch, const Alphas& alphas, Program::Gradients gradients) {
  adapters_.apply(alphas);
  const double loss = program_.forward(batch.tokens, batch.targets, gradients);
  if (!std::isfinite(loss)) not_finite(loss, program_);
  program_.backward();
  adapters_.chain();
  return loss;
}

// ---- evaluation, without what policies do in a step ----

double LiveTrial::measure(const Alphas& alphas, Part part) {
  adapters_.apply(alphas);
  if (part == Part::train) return program_.forward(text_.first().tokens, text_.first().targets, Program::Gradients::none);
  return evaluator_.loss(text_.windows(part));
}

// After the last step nothing changes any more: what is known of the trained alphas is not measured again.
double LiveTrial::evaluate(const Alphas& alphas, Part part) {
  const auto known = at_end_.find(part);
  return known != at_end_.end() && alphas == adapters_.alphas() ? known->second : measure(alphas, part);
}

// As trained again when it returns or throws.
class Instead {
 public:
  Instead(std::vector<Trained> trained, const AdapterValues& values) : trained_(std::move(trained)), kept_(trained_.size()) {
    for (const auto& [name, given] : values) {
      const auto found = std::ranges::find(trained_, name, &Trained::name);
      const auto i = static_cast<std::size_t>(found - trained_.begin());
      kept_[i].assign(found->value.begin(), found->value.end());
      std::ranges::copy(given, found->value.begin());
    }
  }
  ~Instead() {
    for (std::size_t i = 0; i < kept_.size(); ++i) std::ranges::copy(kept_[i], trained_[i].value.begin());
  }
  Instead(const Instead&) = delete;

 private:
  std::vector<Trained> trained_;
  std::vector<std::vector<float>> kept_;
};

double LiveTrial::evaluate_adapter(const AdapterValues& values, Part part) {
  const Instead instead(of_adapters(adapters_, written_), values);
  return measure(adapters_.alphas(), part);
}

AdapterValues LiveTrial::adapter() const {
  AdapterValues all;
  for (const NamedArray& a : signals_.at("adapter")) all[a.name] = {a.array.f32().begin(), a.array.f32().end()};
  return all;
}

// Losses before any update, on the trial's own batch and on held-out text.
void LiveTrial::measure_base() {
  const Alphas zero = adapters_.zero();
  outcome_.base = measure(zero, Part::train);
  if (!std::isfinite(outcome_.base)) not_finite(outcome_.base, program_);
  record("loss", "base", -1, outcome_.base, "nats");
  if (arm_.data.held_out_windows == 0) return;
  // The same for all trials of a base, but for the last bits of adapters that are written in operations.
  outcome_.held_out_base = written_.any()
                               ? measure(zero, Part::held_out)
                               : context_.base_models.held_out_base(base_, arm_, [&] { return measure(zero, Part::held_out); });
  record("loss", "held_out_base", -1, outcome_.held_out_base, "nats");
}

void LiveTrial::evaluate_end() {
  outcome_.final = measure(adapters_.alphas(), Part::train);
  if (!std::isfinite(outcome_.final)) not_finite(outcome_.final, program_);
  record("loss", "final", -1, outcome_.final, "nats");
  record("loss", "train_last", -1, last_loss_, "nats");
  at_end_[Part::train] = outcome_.final;
  if (arm_.data.held_out_windows == 0) return;
  outcome_.held_out_final = at_end_[Part::held_out] = measure(adapters_.alphas(), Part::held_out);
  record("loss", "held_out_final", -1, outcome_.held_out_final, "nats");
}

// A copy: it outlives the trial.
TrainedTrial LiveTrial::trained() const {
  const auto copy = [](const float* values, Shape shape) {
    Tensor out(std::move(shape));
    std::copy_n(values, out.size(), out.data());
    return out;
  };
  const Batch& own_batch = text_.first();
  TrainedTrial out{info_, {}, base_weights_->parameters, {}, {}, own_batch.tokens, own_batch.targets, outcome_.final};
  for (std::size_t i = 0; i < info_.matrices.size(); ++i) {
    const AdaptedMatrix& m = info_.matrices[i];
    TrainedMatrix& own = out.matrices.emplace_back(TrainedMatrix{m, {}, {}, {}, {}});
    if (adapters_.slot(i)) {
      own.U = copy(adapters_.U(i), {m.rows, m.rank}), own.V = copy(adapters_.V(i), {m.cols, m.rank});
      own.alpha = copy(adapters_.alphas()[i].data(), adapters_.alpha_shape(i));
      own.C = adapters_.core(i);
    }
    for (const NamedArray& t : written_.tensors(i)) own.written.push_back({t.name, copy(t.array.f32().data(), t.array.shape)});
  }
  for (std::size_t i = 0; i < out.parameters.size(); ++i) {
    out.merged.push_back(weights_.merged(i));
    if (!shape_.trains.empty() && shape_.trains[i]) out.trained.push_back(out.parameters[i].name);
  }
  return out;
}

// After so many updates.
void LiveTrial::record_losses(std::int64_t after) {
  adapters_.unscale();
  const std::string at = std::to_string(after);
  record("loss", "at" + at, -1, measure(adapters_.alphas(), Part::train), "nats");
  if (arm_.data.held_out_windows > 0) record("loss", "held_out_at" + at, -1, measure(adapters_.alphas(), Part::held_out), "nats");
}

// The most that any step had, and the mean over steps: a schedule changes them.
void LiveTrial::record_parameters() {
  result_.adapter_parameters = outcome_.adapter_parameters;
  result_.trainable_parameters = outcome_.trainable_parameters;
  const auto steps = static_cast<double>(shape_.steps);
  record("parameters", "adapter", -1, static_cast<double>(outcome_.adapter_parameters), "parameters");
  record("parameters", "adapter_mean", -1, static_cast<double>(adapter_steps_) / steps, "parameters");
  record("parameters", "trainable", -1, static_cast<double>(outcome_.trainable_parameters), "parameters");
  record("parameters", "trainable_mean", -1, static_cast<double>(trainable_steps_) / steps, "parameters");
}

void LiveTrial::record(const char* probe, const std::string& name, std::int64_t step, double value, const char* unit) {
  series_[series_.index(probe, name, unit)].add(step, value);
}

// ---- what probes see and do ----

std::map<std::string, Signal> LiveTrial::signal_table() {
  const auto f32 = [](const float* data, Shape shape) { return ArrayView{DType::f32, data, std::move(shape)}; };
  const Shape tokens{arm_.data.batch, arm_.data.sequence};
  std::map<std::string, NamedArrays> table;
  table["loss"] = {{"loss", f32(&loss_f32_, {})}};
  table["tokens"] = {{"tokens", {DType::i32, text_.current().tokens.data(), tokens}}};
  table["targets"] = {{"targets", {DType::i32, text_.current().targets.data(), tokens}}};
  for (const char* name :
       {"weights", "weight.grad", "basis", "alpha", "alpha.grad", "adapter", "adapter.grad", "activation", "activation.grad"})
    table[name];
  for (const WeightSlot& slot : weights_.slots()) {
    const Parameter& p = slot.parameter;
    if (slot.of_adapter) continue;
    table["weights"].push_back({p.name, f32(slot.value, p.shape)});
    if (slot.grad) table["weight.grad"].push_back({p.name, f32(slot.grad, p.shape)});
  }
  for (std::size_t i = 0; i < info_.matrices.size(); ++i) {
    const AdaptedMatrix& m = info_.matrices[i];
    if (!adapters_.slot(i)) continue;
    table["basis"].push_back({m.name + "/U", f32(adapters_.U(i), {m.rows, m.rank})});
    table["basis"].push_back({m.name + "/V", f32(adapters_.V(i), {m.cols, m.rank})});
    table["alpha"].push_back({m.name, f32(adapters_.alphas()[i].data(), adapters_.alpha_shape(i))});
    table["alpha.grad"].push_back({m.name, f32(adapters_.gradients()[i].data(), adapters_.alpha_shape(i))});
  }
  for (const Trained& t : of_adapters(adapters_, written_)) {
    table["adapter"].push_back({t.name, f32(t.value.data(), t.shape)});
    table["adapter.grad"].push_back({t.name, f32(t.gradient.data(), t.shape)});
  }
  for (const Program::Exposed& e : program_.exposed()) {
    const Shape shape{checked_product({arm_.data.batch, arm_.data.sequence}), e.cols};
    if (e.value) table["activation"].push_back({e.name, f32(e.value, shape)});
    if (e.grad) table["activation.grad"].push_back({e.name, f32(e.grad, shape)});
  }
  for (const std::string kind : {"svd", "random"})
    if (probes_.basis_rank(kind) > 0) table["basis." + kind] = directions_of_base(kind);
  std::map<std::string, Signal> signals;
  for (auto& [name, arrays] : table) signals.emplace(name, Signal(std::move(arrays)));
  return signals;
}

// The base's own, as probes asked for it.
NamedArrays LiveTrial::directions_of_base(const std::string& kind) {
  std::vector<AdaptedMatrix> matrices = info_.matrices;
  for (AdaptedMatrix& m : matrices) m.rank = std::min({probes_.basis_rank(kind), m.rows, m.cols});
  const auto cut = shown_directions_.emplace_back(context_.base_models.directions(base_, kind, matrices));
  NamedArrays arrays;
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const AdaptedMatrix& m = matrices[i];
    arrays.push_back({m.name + "/U", {DType::f32, (*cut)[i].U.data(), {m.rows, m.rank}}});
    arrays.push_back({m.name + "/V", {DType::f32, (*cut)[i].V.data(), {m.cols, m.rank}}});
  }
  return arrays;
}

const Signal* LiveTrial::signal(const std::string& name) const {
  const auto found = signals_.find(name);
  return found == signals_.end() ? nullptr : &found->second;
}

void LiveTrial::gradients(const Alphas& alphas, std::int64_t count, const Trial::Visit& visit) {
  Random windows(planned_.key.seed, "data", "independent");
  for (std::int64_t i = 0; i < count; ++i) {
    const double loss = pass(text_.draw(windows), alphas, Program::Gradients::alpha);
    visit(i, loss, adapters_.gradients());
  }
}

void LiveTrial::set_rank(std::size_t matrix, std::int64_t K) {
  if (adapters_.set_rank(matrix, K))
    trainer_.forget(info_.matrices[matrix].name + "/alpha", [&](std::size_t entry) { return !adapters_.active(matrix, entry); });
}

}  // namespace

// UBSan: see call_plugin().
__attribute__((no_sanitize("null"))) TrialResult run_trial(const TrialContext& context, const PlannedTrial& trial,
                                                           const UpstreamRecord& upstream, Backend& backend,
                                                           const std::string& folder, const TrialMonitor& monitor) {
  const std::string key = trial.key.text();
  const Within within(Within::What::trial, key);
  std::unique_ptr<LiveTrial> live;
  const auto where = [&] { return key + ", " + (live ? live->phase() : "while it was set up"); };
  try {
    live = std::make_unique<LiveTrial>(context, trial, upstream, backend, folder, monitor);
    return live->run();
  } catch (Error& e) {
    e.within(where());
    throw;
  } catch (abi::__forced_unwind&) {
    throw;  // of a thread that is cancelled: no exception
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::trial, "there was not enough memory").within(where()).hint("fewer --jobs need less");
  } catch (const std::exception& e) {
    throw Error(ErrorKind::trial, e.what()).within(where());
  } catch (...) {
    throw Error(ErrorKind::trial, "something that is not a std::exception was thrown").within(where());
  }
}

}  // namespace khost
