// An optimizer: a stateless rule. The host owns values, gradients and the rule's state, so that checkpoints, resets and
// rank changes need nothing from it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace khost {

struct Update {
  std::string_view parameter;  // "layer.0.attn.qkv/alpha" for an adapter, the tensor's own name otherwise
  std::int64_t step = 1;       // from 1, counted since the state was last reset
  bool decays = false;         // weight decay applies (matrices yes; norms, biases and adapters' alpha no)
  std::span<float> value;      // to be changed in place
  std::span<const float> gradient;
  std::span<float> state;  // slots() consecutive arrays of value.size() each, zero after a reset
};

class Optimizer {
 public:
  virtual ~Optimizer();
  virtual int slots() const = 0;  // state arrays per value: 0 for sgd, 2 for adam
  // Called for each trained tensor after every backward pass, in parameter order, from one thread; may use parallel_for.
  virtual void update(const Update& u) const = 0;
};

}  // namespace khost
