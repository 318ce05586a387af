// A training step of a model with random weights on random tokens, as the engine makes it: forward, backward, and Adam on what is
// trained.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/adapters.hpp"
#include "engine/pace.hpp"
#include "engine/trainer.hpp"
#include "engine/trial_weights.hpp"
#include "engine/weights.hpp"
#include "engine/written_adapters.hpp"
#include "graph/program.hpp"
#include "khost/random.hpp"
#include "unit/plugins.hpp"

namespace khost::test {

struct StepSize {
  std::int64_t vocabulary = 15007, sequence = 127, batch = 1, rank = 64;
  Json model{Json::Object{}};      // the gpt plugin's configuration
  std::string train = "diagonal";  // an adapter's core, "lora", or "weights": all of the model's own, without adapters
  bool weight_gradients = false;   // made in each step though nothing trains by them, as for a probe that reads them
};

class TrainingStep {
 public:
  TrainingStep(const StepSize& size, Backend& backend)
      : model_(model_of(size)),
        base_(std::make_shared<const Weights>(shared(draw_weights(model_->parameters(), 1)))),
        random_(1, "bench", "values"),
        adapter_(size.train == "lora" ? make<Adapter>("lora") : nullptr),
        core_(size.train == "lora" || size.train == "weights" ? nullptr : test::core(size.train)),
        matrices_(matrices_of(size)),
        adapters_(any_directions(with_core(adapter_.get(), matrices_), random_), with_core(adapter_.get(), matrices_), core_),
        written_(adapter_.get(), matrices_, *base_, 1),
        weights_(base_, std::vector<bool>(base_->parameters.size(), size.train == "weights"),
                 size.weight_gradients ? MatrixGradients::yes : MatrixGradients::no, &adapters_, &written_),
        optimizer_(make<Optimizer>("adam")),
        trainer_(*optimizer_, all_trained(adapters_, written_, weights_)),
        program_(*model_, weights_.slots(), size.batch, size.sequence, backend),
        gradients_(size.weight_gradients || size.train == "weights" ? Program::Gradients::alpha_and_weights
                                                                    : Program::Gradients::alpha) {
    tokens_.resize(static_cast<std::size_t>(size.batch * size.sequence)), targets_.resize(tokens_.size());
    for (auto* ids : {&tokens_, &targets_})
      for (auto& id : *ids) id = static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(size.vocabulary)));
  }

  double evaluate() { return forward(Program::Gradients::none); }
  double operator()() {
    const double loss = forward(gradients_);
    program_.backward();
    adapters_.chain();
    trainer_.step();
    return loss;
  }
  const Program& program() const { return program_; }
  const Alphas& gradients() const { return adapters_.gradients(); }  // of the last step, by alpha
  std::int64_t parameters() const {                                  // of the model
    std::int64_t sum = 0;
    for (const Parameter& p : base_->parameters) sum += element_count(p.shape);
    return sum;
  }

 private:
  static std::shared_ptr<Model> model_of(const StepSize& size) {
    ModelContext context{size.vocabulary, size.sequence};
    return make<Model>("gpt", size.model, &context);
  }
  std::vector<AdaptedMatrix> matrices_of(const StepSize& size) const {
    std::vector<AdaptedMatrix> all;
    for (const Parameter& p : base_->parameters) {
      if (!p.adaptable) continue;
      AdaptedMatrix& m = all.emplace_back(AdaptedMatrix{p.name, p.shape[0], p.shape[1], 0, p.layer});
      if (size.train != "weights") m.rank = std::min({size.rank, m.rows, m.cols});
      if (core_ && m.rank > 0) m.alpha = core_->alpha(m.rank);
    }
    return all;
  }
  double forward(Program::Gradients gradients) {
    adapters_.apply(adapters_.alphas());
    return program_.forward(tokens_, targets_, gradients);
  }

  std::shared_ptr<Model> model_;
  std::shared_ptr<const Weights> base_;
  Random random_;
  std::shared_ptr<khost::Adapter> adapter_;
  const Core* core_;
  std::vector<AdaptedMatrix> matrices_;
  Adapters adapters_;
  WrittenAdapters written_;
  TrialWeights weights_;
  std::shared_ptr<Optimizer> optimizer_;
  Trainer trainer_;
  Program program_;
  Program::Gradients gradients_;
  std::vector<std::int32_t> tokens_, targets_;
};

}  // namespace khost::test
