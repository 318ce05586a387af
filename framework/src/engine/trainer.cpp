#include "engine/trainer.hpp"

#include <algorithm>

namespace khost {

Trainer::Trainer(const Optimizer& optimizer, std::vector<Trained> tensors) : optimizer_(optimizer), tensors_(std::move(tensors)) {
  for (const Trained& t : tensors_) state_.emplace_back(t.value.size() * static_cast<std::size_t>(optimizer_.slots()));
}

void Trainer::step() {
  ++step_;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const Trained& t = tensors_[i];
    optimizer_.update({t.name, step_, t.decays, t.value, t.gradient, state_[i]});
  }
}

void Trainer::reset() {
  step_ = 0;
  for (auto& state : state_) std::ranges::fill(state, 0.0f);
}

std::int64_t Trainer::trainable() const {
  std::int64_t count = 0;
  for (const Trained& t : tensors_) count += static_cast<std::int64_t>(t.value.size());
  return count;
}

}  // namespace khost
