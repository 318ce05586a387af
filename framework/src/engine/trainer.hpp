// One optimizer at work on a fixed set of tensors; owns gradients' destination and the rule's state.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "khost/optimizer.hpp"

namespace khost {

struct Trained {
  std::string name;
  bool decays = false;
  std::span<float> value;
  std::span<const float> gradient;
};

class Trainer {
 public:
  Trainer(const Optimizer& optimizer, std::vector<Trained> tensors);
  void step();  // updates every tensor, in order
  void reset();
  // Sets the state of one tensor's entries to zero where `entry(k)`.
  void forget(std::string_view tensor, const std::function<bool(std::size_t)>& entry);

 private:
  const Optimizer& optimizer_;
  std::vector<Trained> tensors_;
  std::vector<std::vector<float>> state_;
  std::int64_t step_ = 0;
};

}  // namespace khost
