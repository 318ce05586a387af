// One optimizer at work on a fixed set of tensors, whose values and gradients are others'; owns the rule's state.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "khost/optimizer.hpp"
#include "khost/state.hpp"
#include "khost/tensor.hpp"

namespace khost {

struct Trained {
  std::string name;
  bool decays = false;
  std::span<float> value;
  std::span<const float> gradient;
  Shape shape = {};  // of value; left out: a vector
};

class Trainer {
 public:
  // `steps`: how many there will be, at most; 0 where that is not known.
  Trainer(const Optimizer& optimizer, std::vector<Trained> tensors, std::int64_t steps = 0);
  void step();   // updates every tensor, in order
  void reset();  // the state is as it was before the first step; how far the training is stays
  // Sets the state of one tensor's entries to zero where `entry(k)`.
  void forget(std::string_view tensor, const std::function<bool(std::size_t)>& entry);
  void state(State& s);  // of a checkpoint: the tensors' values, and the rule's

 private:
  const Optimizer& optimizer_;
  std::vector<Trained> tensors_;
  std::vector<std::vector<float>> state_;
  std::int64_t step_ = 0, training_step_ = 0;  // done: since the last reset, and in all
  std::int64_t training_steps_;
};

}  // namespace khost
