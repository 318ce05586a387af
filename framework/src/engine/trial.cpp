#include "engine/trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/batches.hpp"
#include "engine/probes.hpp"
#include "engine/trainer.hpp"
#include "khost/safetensors.hpp"

namespace khost {

namespace {

// The trained side of a trial: one diagonal adapter per adapted matrix.
struct Adapters {
  std::shared_ptr<const CutBasis> basis;
  Alphas alpha, gradient;   // K each; the gradient is with respect to alpha itself
  Alphas scale, effective;  // policies scale alpha for a step; the forward pass uses alpha * scale
  std::vector<AdapterSlot> slots;
  bool scaled = false;

  Adapters(std::shared_ptr<const CutBasis> cut, const std::vector<AdaptedMatrix>& matrices) : basis(std::move(cut)) {
    for (const AdaptedMatrix& m : matrices) {
      const auto K = static_cast<std::size_t>(m.rank);
      alpha.emplace_back(K, 0.0f), gradient.emplace_back(K, 0.0f), scale.emplace_back(K, 1.0f), effective.emplace_back(K, 0.0f);
    }
    for (std::size_t i = 0; i < matrices.size(); ++i)
      slots.push_back({matrices[i].rank, (*basis)[i].U.data(), (*basis)[i].V.data(), effective[i].data(), gradient[i].data()});
  }

  void unscale() {
    if (!scaled) return;
    for (auto& s : scale) std::ranges::fill(s, 1.0f);
    scaled = false;
  }

  // alpha * scale, before a forward pass.
  void apply(const Alphas& values) {
    for (std::size_t i = 0; i < values.size(); ++i)
      for (std::size_t k = 0; k < values[i].size(); ++k) effective[i][k] = values[i][k] * scale[i][k];
  }

  // dL/dalpha from dL/d(alpha * scale), after a backward pass.
  void chain() {
    if (!scaled) return;
    for (std::size_t i = 0; i < gradient.size(); ++i)
      for (std::size_t k = 0; k < gradient[i].size(); ++k) gradient[i][k] *= scale[i][k];
  }
};

class Running {
 public:
  Running(const TrialContext& context, const PlannedTrial& planned, Backend& backend, std::string folder,
          const TrialMonitor& monitor)
      : context_(context),
        planned_(planned),
        arm_(*planned.arm),
        monitor_(monitor),
        folder_(std::move(folder)),
        backend_(backend),
        data_(context.materials.data(arm_.data)),
        matrices_(context.materials.matrices(arm_.adapter)),
        weights_(context.bases.weights(context.plan.bases[planned.base])),
        adapters_(cut(), matrices_),
        probes_(arm_.probes, context.materials.registry()) {
    result_.key = planned.key;
    result_.hash = planned.hash;
    info_ = {planned.key.arm, planned.key.base, planned.key.draw,   planned.key.seed,
             arm_.steps,      arm_.data.batch,  arm_.data.sequence, matrices_};
  }

  TrialResult run() {
    const auto begun = std::chrono::steady_clock::now();
    build();
    train();
    evaluate();
    step_ = -1;
    probes_.conclude();
    for (Record& r : probes_.records()) result_.records.push_back(std::move(r));
    result_.status = "done";
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return std::move(result_);
  }

  std::int64_t step() const { return step_; }  // at which something went wrong; -1: outside the steps

 private:
  std::shared_ptr<const CutBasis> cut() const {
    if (!arm_.adapter) return std::make_shared<const CutBasis>();
    return context_.bases.cut(context_.plan.bases[planned_.base], *arm_.adapter);
  }

  void build() {
    // The values are not written: everything is frozen. WeightSlot is not const because base training uses it too.
    auto& values = const_cast<std::vector<Tensor>&>(weights_->values);
    const bool with_weights = probes_.needs("weight.grad");
    std::size_t next = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Parameter& p = weights_->parameters[i];
      const AdapterSlot* adapter = p.adaptable && !matrices_.empty() ? &adapters_.slots[next++] : nullptr;
      if (with_weights && p.adaptable) weight_gradients_.emplace_back(p.name, Tensor(p.shape));
      slots_.push_back(
          {p, values[i].data(), with_weights && p.adaptable ? weight_gradients_.back().second.data() : nullptr, adapter, true});
    }
    program_ = std::make_unique<Program>(context_.materials.model(), slots_, arm_.data.batch, arm_.data.sequence, backend_);

    std::vector<Trained> trained;
    for (std::size_t i = 0; i < matrices_.size(); ++i)
      trained.push_back({matrices_[i].name + "/alpha", false, adapters_.alpha[i], adapters_.gradient[i]});
    optimizer_ =
        create<Optimizer>(context_.materials.registry().get(Kind::optimizer, arm_.optimizer.plugin), arm_.optimizer.config);
    trainer_ = std::make_unique<Trainer>(*optimizer_, std::move(trained));
    result_.trainable_parameters = trainer_->trainable();
    for (const AdaptedMatrix& m : matrices_) result_.adapter_parameters += m.rank * (m.rows + m.cols);
    record("parameters", "adapter", -1, static_cast<double>(result_.adapter_parameters), "parameters");
    record("parameters", "trainable", -1, static_cast<double>(result_.trainable_parameters), "parameters");

    Random windows(planned_.key.seed, "data", "windows");
    first_ = batch_ = draw_batch(data_, Part::train, arm_.data.batch, arm_.data.sequence, windows);
    fresh_ = std::make_unique<Random>(planned_.key.seed, "data", "fresh");
    probes_.begin(hooks());
  }

  TrialHooks hooks() {
    const Shape tokens{arm_.data.batch, arm_.data.sequence};
    TrialHooks h;
    h.info = &info_;
    h.alphas = &adapters_.alpha;
    h.signals.emplace("loss", Signal({{"loss", {DType::f32, &loss_f32_, {}}}}));
    h.signals.emplace("tokens", Signal({{"tokens", {DType::i32, batch_.tokens.data(), tokens}}}));
    h.signals.emplace("targets", Signal({{"targets", {DType::i32, batch_.targets.data(), tokens}}}));
    std::vector<NamedArray> weights, basis, alpha, gradient, weight_gradient;
    for (std::size_t i = 0; i < weights_->values.size(); ++i)
      weights.push_back({weights_->parameters[i].name, weights_->values[i].view()});
    for (std::size_t i = 0; i < matrices_.size(); ++i) {
      const AdaptedMatrix& m = matrices_[i];
      basis.push_back({m.name + "/U", {DType::f32, (*adapters_.basis)[i].U.data(), {m.rows, m.rank}}});
      basis.push_back({m.name + "/V", {DType::f32, (*adapters_.basis)[i].V.data(), {m.cols, m.rank}}});
      alpha.push_back({m.name, {DType::f32, adapters_.alpha[i].data(), {m.rank}}});
      gradient.push_back({m.name, {DType::f32, adapters_.gradient[i].data(), {m.rank}}});
    }
    for (const auto& [name, tensor] : weight_gradients_) weight_gradient.push_back({name, tensor.view()});
    h.signals.emplace("weights", Signal(std::move(weights)));
    h.signals.emplace("basis", Signal(std::move(basis)));
    h.signals.emplace("alpha", Signal(std::move(alpha)));
    h.signals.emplace("alpha.grad", Signal(std::move(gradient)));
    h.signals.emplace("weight.grad", Signal(std::move(weight_gradient)));
    h.evaluate = [this](const Alphas& alphas) { return loss_of(first_, alphas); };
    h.gradients = [this](const Alphas& alphas, std::int64_t count, const Trial::Visit& visit) {
      visit_gradients(alphas, count, visit);
    };
    h.alpha_scale = [this](std::size_t i) {
      adapters_.scaled = true;
      return std::span<float>(adapters_.scale.at(i));
    };
    h.write_artifact = [this](const std::string& name, std::span<const NamedArray> arrays) { write_artifact(name, arrays); };
    return h;
  }

  void train() {
    for (step_ = 0; step_ < arm_.steps; ++step_) {
      if (monitor_.interrupted()) throw Error(ErrorKind::interrupted, "interrupted");
      if (arm_.data.fresh && step_ > 0) {
        const Batch next = draw_batch(data_, Part::train, arm_.data.batch, arm_.data.sequence, *fresh_);
        std::ranges::copy(next.tokens, batch_.tokens.begin());  // in place: the signals point at it
        std::ranges::copy(next.targets, batch_.targets.begin());
      }
      adapters_.unscale();
      probes_.before_step(step_);
      adapters_.apply(adapters_.alpha);
      const bool with_weights = probes_.needs("weight.grad", step_);
      const double loss = program_->forward(batch_.tokens, batch_.targets,
                                            with_weights ? Program::Gradients::alpha_and_weights : Program::Gradients::alpha);
      if (!std::isfinite(loss)) not_finite(loss);
      program_->backward();
      adapters_.chain();
      loss_f32_ = static_cast<float>(loss);
      record("loss", "train", step_, loss, "nats");
      last_loss_ = loss;
      probes_.observe(step_);
      trainer_->step();
      monitor_.step(step_, loss);
    }
    adapters_.unscale();
  }

  [[noreturn]] void not_finite(double loss) const {
    throw Error(ErrorKind::trial, fmt::format("the loss became {}", std::isnan(loss) ? "NaN" : "infinite"))
        .hint("the first value that is not finite: " + program_->first_non_finite())
        .hint("a smaller learning rate usually helps (optimizer.lr)");
  }

  // Losses before and after, on the trial's own batch and on held-out text. Policies do not act here.
  void evaluate() {
    step_ = -1;
    Alphas zero = adapters_.alpha;
    for (auto& a : zero) std::ranges::fill(a, 0.0f);
    record("loss", "base", -1, loss_of(first_, zero), "nats");
    const double final_loss = loss_of(first_, adapters_.alpha);
    if (!std::isfinite(final_loss)) not_finite(final_loss);
    record("loss", "final", -1, final_loss, "nats");
    if (arm_.steps > 0) record("loss", "train_last", -1, last_loss_, "nats");
    if (arm_.data.held_out_windows > 0) {
      const WindowSet held_out(data_, Part::held_out, arm_.data.held_out_windows, arm_.data.sequence);
      Program evaluator(context_.materials.model(), slots_, held_out.batch(), arm_.data.sequence, backend_);
      adapters_.apply(zero);
      record("loss", "held_out_base", -1, held_out.loss(evaluator), "nats");
      adapters_.apply(adapters_.alpha);
      record("loss", "held_out_final", -1, held_out.loss(evaluator), "nats");
    }
  }

  double loss_of(const Batch& batch, const Alphas& alphas) {
    adapters_.apply(alphas);
    return program_->forward(batch.tokens, batch.targets, Program::Gradients::none);
  }

  void visit_gradients(const Alphas& alphas, std::int64_t count, const Trial::Visit& visit) {
    Random windows(planned_.key.seed, "data", "independent");
    for (std::int64_t i = 0; i < count; ++i) {
      const Batch batch = draw_batch(data_, Part::train, arm_.data.batch, arm_.data.sequence, windows);
      adapters_.apply(alphas);
      const double loss = program_->forward(batch.tokens, batch.targets, Program::Gradients::alpha);
      if (!std::isfinite(loss)) not_finite(loss);
      program_->backward();
      visit(i, loss, adapters_.gradient);
    }
  }

  void write_artifact(const std::string& name, std::span<const NamedArray> arrays) {
    std::map<std::string, std::string> metadata{
        {"khost", "artifact " + name}, {"trial", planned_.key.text()}, {"recipe", planned_.identity.canonical()}};
    // What a reader needs to compute the trial again, under its own key: n_head, lr, basis, ...
    if (arm_.adapter) metadata["basis"] = arm_.adapter->basis;
    for (const Json* config : {&context_.experiment.model.config, &arm_.optimizer.config})
      for (const JsonMember& m : config->as_object())
        metadata[m.key] = m.value.is_string() ? m.value.as_string() : m.value.text();
    const std::string file = name + ".safetensors";
    write_safetensors(folder_ + "/" + file, arrays, metadata);
    result_.artifacts.push_back(file);
  }

  void record(const char* probe, const char* name, std::int64_t step, double value, const char* unit) {
    result_.records.push_back({probe, name, step, value, unit});
  }

  const TrialContext& context_;
  const PlannedTrial& planned_;
  const Arm& arm_;
  const TrialMonitor& monitor_;
  std::string folder_;
  Backend& backend_;
  const Data& data_;
  std::vector<AdaptedMatrix> matrices_;
  std::shared_ptr<const Weights> weights_;
  Adapters adapters_;
  Probes probes_;
  TrialInfo info_;
  std::vector<std::pair<std::string, Tensor>> weight_gradients_;
  std::vector<WeightSlot> slots_;
  std::unique_ptr<Program> program_;
  std::shared_ptr<Optimizer> optimizer_;
  std::unique_ptr<Trainer> trainer_;
  Batch first_, batch_;
  std::unique_ptr<Random> fresh_;
  float loss_f32_ = 0;
  double last_loss_ = 0;
  std::int64_t step_ = -1;
  TrialResult result_;
};

}  // namespace

TrialResult run_trial(const TrialContext& context, const PlannedTrial& trial, Backend& backend, const std::string& folder,
                      const TrialMonitor& monitor) {
  std::unique_ptr<Running> running;
  try {
    running = std::make_unique<Running>(context, trial, backend, folder, monitor);
    return running->run();
  } catch (Error& e) {
    e.within(trial.key.text() + (running && running->step() >= 0 ? ", step " + std::to_string(running->step()) : ""));
    throw;
  }
}

}  // namespace khost
