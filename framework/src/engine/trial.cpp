#include "engine/trial.hpp"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>

#include "engine/adapters.hpp"
#include "engine/batches.hpp"
#include "engine/probes.hpp"
#include "engine/trainer.hpp"
#include "khost/hash.hpp"
#include "khost/parallel.hpp"
#include "khost/safetensors.hpp"

namespace khost {

namespace {

class Running {
 public:
  Running(const TrialContext& context, const PlannedTrial& planned, const UpstreamRecord& upstream, Backend& backend,
          std::string folder, const TrialMonitor& monitor)
      : context_(context),
        planned_(planned),
        arm_(*planned.arm),
        shape_(context.materials.arm(arm_)),
        monitor_(monitor),
        folder_(std::move(folder)),
        backend_(backend),
        data_(context.materials.data(arm_.data)),
        weights_(context.bases.weights(context.plan.bases[planned.base], arm_)),
        probes_(arm_.probes, context.materials.registry()) {
    result_.key = planned.key;
    result_.hash = planned.hash;
    info_ = info_of(planned.key, arm_, shape_);
    std::vector<std::int64_t> ranks;
    for (const AdaptedMatrix& m : info_.matrices) ranks.push_back(m.rank);
    probes_.resolve(info_, upstream, ranks);
    for (std::size_t i = 0; i < ranks.size(); ++i) info_.matrices[i].rank = ranks[i];
  }

  TrialResult run() {
    const auto begun = std::chrono::steady_clock::now();
    build();
    phase_ = "before the first step";
    measure_base();
    train();
    phase_ = "after the last step";
    evaluate();
    probes_.conclude();
    for (Record& r : probes_.records()) result_.records.push_back(std::move(r));
    result_.status = "done";
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return std::move(result_);
  }

  // Where something went wrong.
  std::string phase() const { return step_ < 0 || step_ >= shape_.steps ? phase_ : "step " + std::to_string(step_); }

 private:
  const PlannedBase& base() const { return context_.plan.bases[planned_.base]; }
  const Model& model() const { return *shape_.model->model; }

  void build() {
    check_part(data_, arm_.data, Part::train);
    if (arm_.data.held_out_windows > 0) check_part(data_, arm_.data, Part::held_out);
    Random windows(planned_.key.seed, "data", "windows");
    first_ = batch_ = draw_batch(data_, Part::train, arm_.data.batch, arm_.data.sequence, windows);
    fresh_ = std::make_unique<Random>(planned_.key.seed, "data", "fresh");
    adapters_ = std::make_unique<Adapters>(cut(), info_.matrices, info_.core);
    slots_ = slots(probes_.needs("weight.grad"));
    program_ = std::make_unique<Program>(model(), slots_, arm_.data.batch, arm_.data.sequence, backend_,
                                         Kept{probes_.needs("activation"), probes_.needs("activation.grad")});

    std::vector<Trained> trained = adapters_->trained();
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (shape_.trains[i])
        trained.push_back(
            {slots_[i].parameter.name, slots_[i].parameter.shape.size() == 2, own_[i].span(), gradients_[i].span()});
    optimizer_ =
        create<Optimizer>(context_.materials.registry().get(Kind::optimizer, arm_.optimizer.plugin), arm_.optimizer.config);
    trainer_ = std::make_unique<Trainer>(*optimizer_, std::move(trained));
    probes_.begin(hooks());
  }

  // Trained tensors are copies of this trial's own; the others are the base's, which nothing writes: WeightSlot is not const
  // because base training uses it too.
  std::vector<WeightSlot> slots(bool with_gradients) {
    const std::size_t count = weights_->values.size();
    own_.resize(count), gradients_.resize(count);
    std::vector<WeightSlot> out;
    std::size_t next = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Parameter& p = weights_->parameters[i];
      const bool trains = shape_.trains[i];
      if (trains) {
        own_[i] = Tensor(p.shape);
        std::ranges::copy(weights_->values[i].span(), own_[i].data());
      }
      if (trains || (with_gradients && p.adaptable)) gradients_[i] = Tensor(p.shape);
      float* value = trains ? own_[i].data() : const_cast<float*>(weights_->values[i].data());
      float* gradient = gradients_[i].size() > 0 ? gradients_[i].data() : nullptr;
      out.push_back({p, value, gradient, p.adaptable ? adapters_->slot(next++) : nullptr, !trains});
    }
    return out;
  }

  std::shared_ptr<const CutBasis> cut() {
    if (!arm_.adapter) return std::make_shared<const CutBasis>();
    if (arm_.adapter->basis != "gradient") return context_.bases.cut(base(), arm_.adapter->basis, info_.matrices);
    // Of dL/dW on the trial's first batch, before any update.
    std::vector<Tensor> gradients;
    std::vector<WeightSlot> plain;
    gradients.reserve(weights_->values.size());
    for (std::size_t i = 0; i < weights_->values.size(); ++i) {
      const Parameter& p = weights_->parameters[i];
      float* gradient = p.adaptable ? gradients.emplace_back(p.shape).data() : nullptr;
      plain.push_back({p, const_cast<float*>(weights_->values[i].data()), gradient, nullptr, true});
    }
    Program program(model(), plain, arm_.data.batch, arm_.data.sequence, backend_);
    const double loss = program.forward(first_.tokens, first_.targets, Program::Gradients::alpha_and_weights);
    if (!std::isfinite(loss)) not_finite(loss, program);
    program.backward();
    auto made = std::make_shared<CutBasis>(gradients.size());
    parallel_for(static_cast<std::int64_t>(gradients.size()), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        const AdaptedMatrix& m = info_.matrices[i];
        (*made)[i] = svd_basis(gradients[i].span(), m.rows, m.cols, m.rank);
      }
    });
    return made;
  }

  TrialHooks hooks() {
    const Shape tokens{arm_.data.batch, arm_.data.sequence};
    TrialHooks h;
    h.info = &info_;
    h.alphas = &adapters_->alphas();
    h.signals.emplace("loss", Signal({{"loss", {DType::f32, &loss_f32_, {}}}}));
    h.signals.emplace("tokens", Signal({{"tokens", {DType::i32, batch_.tokens.data(), tokens}}}));
    h.signals.emplace("targets", Signal({{"targets", {DType::i32, batch_.targets.data(), tokens}}}));
    std::vector<NamedArray> weights, basis, alpha, gradient, weight_gradient;
    for (const WeightSlot& slot : slots_) {
      const Parameter& p = slot.parameter;
      weights.push_back({p.name, {DType::f32, slot.value, p.shape}});
      if (slot.grad) weight_gradient.push_back({p.name, {DType::f32, slot.grad, p.shape}});
    }
    for (std::size_t i = 0; i < info_.matrices.size(); ++i) {
      const AdaptedMatrix& m = info_.matrices[i];
      if (m.rank == 0) continue;
      basis.push_back({m.name + "/U", {DType::f32, adapters_->U(i), {m.rows, m.rank}}});
      basis.push_back({m.name + "/V", {DType::f32, adapters_->V(i), {m.cols, m.rank}}});
      alpha.push_back({m.name, {DType::f32, adapters_->alphas()[i].data(), adapters_->core_shape(i)}});
      gradient.push_back({m.name, {DType::f32, adapters_->gradients()[i].data(), adapters_->core_shape(i)}});
    }
    h.signals.emplace("weights", Signal(std::move(weights)));
    h.signals.emplace("basis", Signal(std::move(basis)));
    h.signals.emplace("alpha", Signal(std::move(alpha)));
    h.signals.emplace("alpha.grad", Signal(std::move(gradient)));
    h.signals.emplace("weight.grad", Signal(std::move(weight_gradient)));
    std::vector<NamedArray> activations, activation_gradients;
    for (const Program::Exposed& e : program_->exposed()) {
      const Shape shape{checked_product({arm_.data.batch, arm_.data.sequence}), e.cols};
      if (e.value) activations.push_back({e.name, {DType::f32, e.value, shape}});
      if (e.grad) activation_gradients.push_back({e.name, {DType::f32, e.grad, shape}});
    }
    h.signals.emplace("activation", Signal(std::move(activations)));
    h.signals.emplace("activation.grad", Signal(std::move(activation_gradients)));
    for (const char* kind : {"svd", "random"}) add_base_basis(h, kind);
    h.outcome = [this]() -> const Outcome& { return outcome_; };
    h.displacement = [this] { return displacement(); };
    h.evaluate = [this](const Alphas& alphas) { return loss_of(first_, alphas); };
    h.gradients = [this](const Alphas& alphas, std::int64_t count, const Trial::Visit& visit) {
      visit_gradients(alphas, count, visit);
    };
    h.alpha_scale = [this](std::size_t i) { return adapters_->scale(i); };
    h.set_rank = [this](std::size_t i, std::int64_t K) {
      if (adapters_->set_rank(i, K))
        trainer_->forget(info_.matrices[i].name + "/alpha", [&](std::size_t entry) { return !adapters_->active(i, entry); });
    };
    h.reset_optimizer = [this] { trainer_->reset(); };
    h.write_artifact = [this](const std::string& name, std::span<const NamedArray> arrays) { write_artifact(name, arrays); };
    return h;
  }

  // What probes asked of the base's own bases.
  void add_base_basis(TrialHooks& h, const std::string& kind) {
    const std::int64_t rank = probes_.basis_rank(kind);
    if (rank == 0) return;
    std::vector<AdaptedMatrix> matrices = info_.matrices;
    for (AdaptedMatrix& m : matrices) m.rank = std::min({rank, m.rows, m.cols});
    const auto cut = base_bases_.emplace_back(context_.bases.cut(base(), kind, matrices));
    std::vector<NamedArray> arrays;
    for (std::size_t i = 0; i < matrices.size(); ++i) {
      const AdaptedMatrix& m = matrices[i];
      arrays.push_back({m.name + "/U", {DType::f32, (*cut)[i].U.data(), {m.rows, m.rank}}});
      arrays.push_back({m.name + "/V", {DType::f32, (*cut)[i].V.data(), {m.cols, m.rank}}});
    }
    h.signals.emplace("basis." + kind, Signal(std::move(arrays)));
  }

  // ||dW||_F: the adapter's, or how far the matrix itself was trained. With both it is of their sum.
  std::vector<double> displacement() const {
    std::vector<double> out = adapters_->displacement();
    out.resize(info_.matrices.size());
    std::size_t next = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i].parameter.adaptable) continue;
      const std::size_t matrix = next++;
      if (!shape_.trains[i]) continue;
      const std::vector<float> adapter = adapters_->difference(matrix);  // empty where K = 0
      double sum = 0;
      for (std::size_t k = 0; k < own_[i].span().size(); ++k) {
        const double moved =
            static_cast<double>(own_[i].data()[k]) - weights_->values[i].data()[k] + (adapter.empty() ? 0 : adapter[k]);
        sum += moved * moved;
      }
      out[matrix] = std::sqrt(sum);
    }
    return out;
  }

  void train() {
    const bool trains_weights = std::ranges::find(shape_.trains, true) != shape_.trains.end();
    const std::int64_t trained = shape_.trained_weights();
    std::int64_t adapter = 0, trainable = 0;  // sums over steps
    for (step_ = 0; step_ < shape_.steps; ++step_) {
      if (monitor_.interrupted()) throw Error(ErrorKind::interrupted, "interrupted");
      if (arm_.data.fresh && step_ > 0) {
        const Batch next = draw_batch(data_, Part::train, arm_.data.batch, arm_.data.sequence, *fresh_);
        std::ranges::copy(next.tokens, batch_.tokens.begin());  // in place: the signals point at it
        std::ranges::copy(next.targets, batch_.targets.begin());
      }
      adapters_->unscale();
      probes_.before_step(step_);
      adapters_->apply(adapters_->alphas());
      const bool with_weights = trains_weights || probes_.needs("weight.grad", step_);
      const double loss = program_->forward(batch_.tokens, batch_.targets,
                                            with_weights ? Program::Gradients::alpha_and_weights : Program::Gradients::alpha);
      if (!std::isfinite(loss)) not_finite(loss, *program_);
      program_->backward();
      adapters_->chain();
      loss_f32_ = static_cast<float>(loss);
      record("loss", "train", step_, loss, "nats");
      last_loss_ = loss;
      probes_.observe(step_);
      trainer_->step();
      monitor_.step(step_, loss);
      const std::int64_t of_adapters = adapters_->adapter_parameters(), in_all = adapters_->trainable_parameters() + trained;
      adapter += of_adapters, trainable += in_all;
      outcome_.adapter_parameters = std::max(outcome_.adapter_parameters, of_adapters);
      outcome_.trainable_parameters = std::max(outcome_.trainable_parameters, in_all);
      if (std::ranges::find(arm_.record_at, step_ + 1) != arm_.record_at.end()) record_losses(step_ + 1);
    }
    adapters_->unscale();
    count_parameters(adapter, trainable);
  }

  // The most that any step had, and the mean over steps: a schedule changes them.
  void count_parameters(std::int64_t adapter, std::int64_t trainable) {
    result_.adapter_parameters = outcome_.adapter_parameters;
    result_.trainable_parameters = outcome_.trainable_parameters;
    const auto steps = static_cast<double>(shape_.steps);
    record("parameters", "adapter", -1, static_cast<double>(outcome_.adapter_parameters), "parameters");
    record("parameters", "adapter_mean", -1, static_cast<double>(adapter) / steps, "parameters");
    record("parameters", "trainable", -1, static_cast<double>(outcome_.trainable_parameters), "parameters");
    record("parameters", "trainable_mean", -1, static_cast<double>(trainable) / steps, "parameters");
  }

  // After so many updates: on the trial's own batch and on held-out text, without what policies do in a step.
  void record_losses(std::int64_t after) {
    adapters_->unscale();
    const std::string at = std::to_string(after);
    record("loss", "at" + at, -1, loss_of(first_, adapters_->alphas()), "nats");
    if (arm_.data.held_out_windows > 0) record("loss", "held_out_at" + at, -1, held_out(adapters_->alphas()), "nats");
  }

  [[noreturn]] void not_finite(double loss, const Program& program) const {
    throw Error(ErrorKind::trial, fmt::format("the loss became {}", std::isnan(loss) ? "NaN" : "infinite"))
        .hint("the first value that is not finite: " + program.first_non_finite())
        .hint("a smaller learning rate usually helps (optimizer.lr)");
  }

  // Losses before any update, on the trial's own batch and on held-out text.
  void measure_base() {
    const Alphas zero = adapters_->zero();
    outcome_.base = loss_of(first_, zero);
    if (!std::isfinite(outcome_.base)) not_finite(outcome_.base, *program_);
    record("loss", "base", -1, outcome_.base, "nats");
    if (arm_.data.held_out_windows == 0) return;
    outcome_.held_out_base = context_.bases.held_out_base(base(), arm_, [&] { return held_out(zero); });
    record("loss", "held_out_base", -1, outcome_.held_out_base, "nats");
  }

  // Policies do not act here.
  void evaluate() {
    outcome_.final = loss_of(first_, adapters_->alphas());
    if (!std::isfinite(outcome_.final)) not_finite(outcome_.final, *program_);
    record("loss", "final", -1, outcome_.final, "nats");
    record("loss", "train_last", -1, last_loss_, "nats");
    if (arm_.data.held_out_windows == 0) return;
    outcome_.held_out_final = held_out(adapters_->alphas());
    record("loss", "held_out_final", -1, outcome_.held_out_final, "nats");
  }

  double held_out(const Alphas& alphas) {
    const WindowSet windows(data_, Part::held_out, arm_.data.held_out_windows, arm_.data.sequence);
    if (!evaluator_) evaluator_ = std::make_unique<Program>(model(), slots_, windows.batch(), arm_.data.sequence, backend_);
    adapters_->apply(alphas);
    return windows.loss(*evaluator_);
  }

  double loss_of(const Batch& batch, const Alphas& alphas) {
    adapters_->apply(alphas);
    return program_->forward(batch.tokens, batch.targets, Program::Gradients::none);
  }

  void visit_gradients(const Alphas& alphas, std::int64_t count, const Trial::Visit& visit) {
    Random windows(planned_.key.seed, "data", "independent");
    for (std::int64_t i = 0; i < count; ++i) {
      const Batch batch = draw_batch(data_, Part::train, arm_.data.batch, arm_.data.sequence, windows);
      adapters_->apply(alphas);
      const double loss = program_->forward(batch.tokens, batch.targets, Program::Gradients::alpha);
      if (!std::isfinite(loss)) not_finite(loss, *program_);
      program_->backward();
      adapters_->chain();  // as in training: nothing for dims that a schedule has switched off
      visit(i, loss, adapters_->gradients());
    }
  }

  void write_artifact(const std::string& name, std::span<const NamedArray> arrays) {
    std::map<std::string, std::string> metadata{
        {"khost", "artifact " + name}, {"trial", planned_.key.text()}, {"recipe", planned_.identity.canonical()}};
    // What a reader needs to compute the trial again, under its own key: n_head, lr, basis, ...
    if (arm_.adapter) metadata["basis"] = info_.basis, metadata["core"] = info_.core;
    for (const Json* config : {&arm_.model.config, &arm_.optimizer.config})
      for (const JsonMember& m : config->as_object())
        metadata[m.key] = m.value.is_string() ? m.value.as_string() : m.value.text();
    const std::string file = name + ".safetensors";
    if (std::ranges::find(result_.artifacts, file, &Artifact::file) != result_.artifacts.end())
      throw Error(ErrorKind::plugin, "the artifact '" + name + "' was written twice in this trial");
    write_safetensors(folder_ + "/" + file, arrays, metadata);
    result_.artifacts.push_back({file, sha256_file(folder_ + "/" + file)});
  }

  void record(const char* probe, const std::string& name, std::int64_t step, double value, const char* unit) {
    result_.records.push_back({probe, name, step, value, unit});
  }

  const TrialContext& context_;
  const PlannedTrial& planned_;
  const Arm& arm_;
  const ArmShape& shape_;
  const TrialMonitor& monitor_;
  std::string folder_;
  Backend& backend_;
  const Data& data_;
  std::shared_ptr<const Weights> weights_;  // the base's
  Probes probes_;
  TrialInfo info_;
  std::unique_ptr<Adapters> adapters_;
  std::vector<Tensor> own_, gradients_;  // of the weights, by their index: trained copies; where gradients are asked for
  std::vector<std::shared_ptr<const CutBasis>> base_bases_;
  std::vector<WeightSlot> slots_;
  std::unique_ptr<Program> program_, evaluator_;  // for held-out text
  std::shared_ptr<Optimizer> optimizer_;
  std::unique_ptr<Trainer> trainer_;
  Batch first_, batch_;
  std::unique_ptr<Random> fresh_;
  float loss_f32_ = 0;
  double last_loss_ = 0;
  const char* phase_ = "while it was set up";
  std::int64_t step_ = -1;  // of training; from the number of steps on, and below 0, `phase_` says more
  Outcome outcome_;
  TrialResult result_;
};

}  // namespace

// UBSan: see call_plugin().
__attribute__((no_sanitize("null"))) TrialResult run_trial(const TrialContext& context, const PlannedTrial& trial,
                                                           const UpstreamRecord& upstream, Backend& backend,
                                                           const std::string& folder, const TrialMonitor& monitor) {
  const std::string key = trial.key.text();
  const Within within(Within::What::trial, key);
  std::unique_ptr<Running> running;
  const auto where = [&] { return key + ", " + (running ? running->phase() : "while it was set up"); };
  try {
    running = std::make_unique<Running>(context, trial, upstream, backend, folder, monitor);
    return running->run();
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
