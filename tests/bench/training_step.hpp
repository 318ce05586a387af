// A model with random weights, a random basis of rank K for every matrix, and random tokens: forward, backward, and Adam on
// alpha.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "engine/trainer.hpp"
#include "engine/weights.hpp"
#include "graph/program.hpp"
#include "khost/random.hpp"
#include "unit/plugins.hpp"

namespace khost::test {

struct StepSize {
  std::int64_t vocabulary = 15007, sequence = 127, batch = 1, rank = 64;
  Json model{Json::Object{}};  // the gpt plugin's configuration
  bool weight_gradients = false;
  std::string core = "diagonal";
};

class TrainingStep {
 public:
  TrainingStep(const StepSize& size, Backend& backend) : gradients_(Program::Gradients::alpha) {
    ModelContext context{size.vocabulary, size.sequence};
    model_ = make<Model>("gpt", size.model, &context);
    optimizer_ = make<Optimizer>("adam");
    if (size.weight_gradients) gradients_ = Program::Gradients::alpha_and_weights;
    Random random(1, "bench", "values");
    weights_ = draw_weights(model_->parameters(), 1);
    std::vector<WeightSlot> slots;
    std::vector<Trained> trained;
    adapters_.reserve(weights_.values.size());  // slots point into it
    for (std::size_t i = 0; i < weights_.values.size(); ++i) {
      const Parameter& p = weights_.parameters[i];
      WeightSlot& slot = slots.emplace_back(WeightSlot{p, weights_.values[i].data(), nullptr, nullptr, true});
      if (size.weight_gradients) slot.grad = gradients_of_weights_.emplace_back(p.shape).data();
      if (!p.adaptable || size.rank == 0) continue;
      const std::int64_t K = std::min({size.rank, p.shape[0], p.shape[1]});
      Adapter& a = adapters_.emplace_back();
      const Core* core = test::core(size.core);
      const Shape alpha = core->alpha(K);
      a.U = Tensor({p.shape[0], K}), a.V = Tensor({p.shape[1], K}), a.alpha = Tensor(alpha), a.gradient = Tensor(alpha);
      random.normal(a.U.span(), 1 / std::sqrt(static_cast<double>(p.shape[0])));
      random.normal(a.V.span(), 1 / std::sqrt(static_cast<double>(p.shape[1])));
      a.slot = {K, a.U.data(), a.V.data(), a.alpha.data(), a.gradient.data(), core};
      slot.adapter = &a.slot;
      trained.push_back({p.name + "/alpha", false, a.alpha.span(), a.gradient.span()});
      if (!core->trains_factors()) continue;
      a.U_gradient = Tensor(a.U.shape()), a.V_gradient = Tensor(a.V.shape());
      a.slot.U_grad = a.U_gradient.data(), a.slot.V_grad = a.V_gradient.data();
      trained.push_back({p.name + "/U", false, a.U.span(), a.U_gradient.span()});
      trained.push_back({p.name + "/V", false, a.V.span(), a.V_gradient.span()});
    }
    tokens_.resize(static_cast<std::size_t>(size.batch * size.sequence)), targets_.resize(tokens_.size());
    for (auto* ids : {&tokens_, &targets_})
      for (auto& id : *ids) id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(size.vocabulary)));
    trainer_ = std::make_unique<Trainer>(*optimizer_, std::move(trained));
    program_ = std::make_unique<Program>(*model_, std::move(slots), size.batch, size.sequence, backend);
  }

  double forward() { return program_->forward(tokens_, targets_, gradients_); }
  double evaluate() { return program_->forward(tokens_, targets_, Program::Gradients::none); }
  double operator()() {
    const double loss = forward();
    program_->backward();
    trainer_->step();
    return loss;
  }
  const Program& program() const { return *program_; }

 private:
  struct Adapter {
    Tensor U, V, alpha, gradient, U_gradient, V_gradient;
    AdapterSlot slot;
  };
  Program::Gradients gradients_;
  std::shared_ptr<Model> model_;
  std::shared_ptr<Optimizer> optimizer_;
  OwnWeights weights_;
  std::vector<Tensor> gradients_of_weights_;
  std::vector<Adapter> adapters_;
  std::vector<std::int32_t> tokens_, targets_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<Program> program_;
};

}  // namespace khost::test
