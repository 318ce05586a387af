#include "engine/trainer.hpp"

#include <algorithm>

namespace khost {

Trainer::Trainer(const Optimizer& optimizer, std::vector<Trained> tensors, std::int64_t steps)
    : optimizer_(optimizer), tensors_(std::move(tensors)), training_steps_(steps) {
  for (Trained& t : tensors_) {
    state_.emplace_back(t.value.size() * static_cast<std::size_t>(optimizer_.slots()));
    if (t.shape.empty()) t.shape = {static_cast<std::int64_t>(t.value.size())};
  }
}

void Trainer::step() {
  ++step_, ++training_step_;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const Trained& t = tensors_[i];
    optimizer_.update({t.name, step_, t.decays, t.value, t.gradient, state_[i], t.shape, training_step_, training_steps_});
  }
}

void Trainer::reset() {
  step_ = 0;
  for (auto& state : state_) std::ranges::fill(state, 0.0f);
}

void Trainer::forget(std::string_view tensor, const std::function<bool(std::size_t)>& entry) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (tensors_[i].name != tensor) continue;
    const std::size_t size = tensors_[i].value.size();
    for (std::size_t k = 0; k < state_[i].size(); ++k)
      if (entry(k % size)) state_[i][k] = 0;
  }
}

void Trainer::state(State& s) {
  s(step_, training_step_);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    s.in_place(tensors_[i].value);
    s(state_[i]);
  }
}

}  // namespace khost
