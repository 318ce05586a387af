// An optimizer: a stateless rule. The host owns values, gradients and the rule's state, so that checkpoints, resets and
// rank changes need nothing from it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace khost {

// One trained tensor at one step. What it points at is valid until update() returns.
struct Update {
  std::string_view parameter;  // "layer.0.attn.qkv/alpha" for an adapter, the tensor's own name otherwise
  std::int64_t step = 1;       // from 1, counted since the state was last reset: for bias corrections
  bool decays = false;         // weight decay applies (matrices yes; norms, biases and adapters' alpha no)
  std::span<float> value;      // to be changed in place
  std::span<const float> gradient;
  std::span<float> state;                    // slots() consecutive arrays of value.size() each, zero after a reset
  std::span<const std::int64_t> shape = {};  // of value, row-major: {out, in} of a matrix, {size} of a vector
  // How far the training is, whatever was reset meanwhile: for schedules.
  std::int64_t training_step = 1;   // from 1
  std::int64_t training_steps = 0;  // how many it takes, at most: a base may reach its target before; 0: nobody can say
};

// One instance serves one training, a trial's or a base's; the plan makes others, which it only asks for their slots.
class Optimizer {
 public:
  virtual ~Optimizer();
  // State arrays per value: 0 for sgd, 2 for adam. Always the same for one instance. From any thread.
  virtual int slots() const = 0;
  // Called for each trained tensor after every backward pass, in parameter order, from one thread at a time; may use
  // parallel_for.
  virtual void update(const Update& u) const = 0;
};

}  // namespace khost
