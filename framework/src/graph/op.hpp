// Operations as a program holds them: where each stands on the tape, and what one step runs with.
//
// Time runs over the forward pass, operation after operation, and then backwards: operation i of n runs forward at time i and
// backward at time 2n - 1 - i. The tape's end (Tape::end) lives through its own times once for each part of the batch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/memory_plan.hpp"
#include "graph/program.hpp"
#include "khost/draft/op.hpp"

namespace khost {

// A parameter as operations see it.
struct Weight {
  WeightSlot slot;
  std::vector<double> alpha_sums;  // CoreGradient::sums
  std::int64_t rank() const { return slot.adapter ? slot.adapter->rank : 0; }
  std::int64_t rows() const { return slot.parameter.shape[0]; }
  std::int64_t cols() const { return slot.parameter.shape[1]; }
};

struct Placed {
  std::unique_ptr<Op> op;
  std::string name;  // "linear layer.3.mlp.up"
  std::vector<int> inputs;
  int output = -1;  // -1: it ends the tape
  // Backward runs from the tape's end: whoever writes a gradient first overwrites, the others add. One flag an input or weight.
  std::vector<char> add_to_input;
  std::vector<Weight*> weights;
  std::vector<char> add_to_weight;
};

struct StepState {
  Backend& backend;
  std::int64_t batch, sequence;  // B, T
  std::int64_t rows;             // B T; fewer, B too, of a part of the batch
  const std::int32_t* tokens = nullptr;
  const std::int32_t* targets = nullptr;
  std::int64_t counted = 0;  // for what ends the tape: targets that count, of the whole batch
  Program::Gradients mode = Program::Gradients::none;
  bool look = false;  // look for values that are not finite; the first found is put in `found`
  std::string found = {};

  // Of values, by id.
  std::vector<float*> value = {}, grad = {};               // grad: null where none is ever needed
  std::vector<char> needs_alpha = {}, needs_weights = {};  // is its gradient needed for alphas; for alphas and weights
  std::vector<std::int64_t> cols = {};
  float* arena = nullptr;
  std::vector<std::int64_t> offset = {};  // of the operations' own buffers, by id
  double loss = 0;                        // what ends the tape adds its share
  bool again = false;                     // a later part of the tape's end: it adds to what the first wrote for weights

  bool gradients() const { return mode != Program::Gradients::none; }
  bool weights() const { return mode == Program::Gradients::alpha_and_weights; }
  bool needs(int v) const { return weights() ? needs_weights[v] : gradients() && needs_alpha[v]; }
  float* buffer(int id) const { return id < 0 ? nullptr : arena + offset[id]; }
};

// While memory is planned: one operation's view.
class Planner {
 public:
  Planner(const StepState& of, MemoryPlan& plan, const std::vector<int>& value_buffer, const Placed& at, int op, int ops)
      : step(of), placed(at), plan_(plan), value_buffer_(value_buffer), forward_(op), backward_(2 * ops - 1 - op) {}

  const StepState& step;
  const Placed& placed;

  bool needs_gradient() const { return placed.output >= 0 && step.needs_weights[placed.output]; }
  int saved(std::int64_t floats) { return plan_.add(floats, forward_, needs_gradient() ? backward_ : forward_); }
  int forward_scratch(std::int64_t floats) { return plan_.add(floats, forward_, forward_); }
  int backward_scratch(std::int64_t floats) { return plan_.add(floats, backward_, backward_); }
  void keep(int value) { plan_.extend(value_buffer_[value], backward_); }

 private:
  MemoryPlan& plan_;
  const std::vector<int>& value_buffer_;
  int forward_, backward_;
};

// Tokens whose logits exist at a time: enough that reading and laying out W for each chunk costs little beside the products, few
// enough that 15007 logits each stay a small part of a step's memory (15 MiB).
constexpr std::int64_t most_rows_of_logits = 256;

std::string named(const Weight& w);  // "'layer.0.ln1.weight' [256]"
bool all_finite(const float* x, std::int64_t n);
// to (+)= from: how an operation hands on a gradient that it does not change. Nothing where it is there already.
void hand_on(std::int64_t n, const float* from, float* to, bool accumulate);

}  // namespace khost
