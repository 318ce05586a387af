// An operation on the tape: what it needs in memory, its forward and its backward pass.
//
// Time runs over the forward pass, operation after operation, and then backwards: operation i of n runs forward at time i and
// backward at time 2n - 1 - i.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "graph/memory_plan.hpp"
#include "graph/program.hpp"

namespace khost {

// A parameter as operations see it.
struct Weight {
  WeightSlot slot;
  std::vector<double> alpha_sum;  // dL/dalpha [K] of the uses met so far; empty for a block, whose dL/dC is summed in its place
  std::int64_t rank() const { return slot.adapter ? slot.adapter->rank : 0; }
  std::int64_t rows() const { return slot.parameter.shape[0]; }
  std::int64_t cols() const { return slot.parameter.shape[1]; }
};

class Op;

// What one step runs with.
struct StepState {
  Backend& backend;
  std::int64_t batch, sequence;  // B, T
  std::int64_t rows;             // B T
  const std::int32_t* tokens = nullptr;
  const std::int32_t* targets = nullptr;
  Program::Gradients mode = Program::Gradients::none;
  bool look = false;  // look for values that are not finite; the first found is put in `found`
  std::string found = {};

  // Of values, by id.
  std::vector<float*> value = {}, grad = {};               // grad: null where none is ever needed
  std::vector<char> needs_alpha = {}, needs_weights = {};  // is its gradient needed for alphas; for alphas and weights
  std::vector<std::int64_t> cols = {};
  float* arena = nullptr;
  std::vector<std::int64_t> offset = {};  // of the operations' own buffers, by id
  double loss = 0;                        // the head's

  bool gradients() const { return mode != Program::Gradients::none; }
  bool weights() const { return mode == Program::Gradients::alpha_and_weights; }
  bool needs(int v) const { return weights() ? needs_weights[v] : gradients() && needs_alpha[v]; }
  float* buffer(int id) const { return id < 0 ? nullptr : arena + offset[id]; }
};

// While memory is planned: one operation's view.
class Planner {
 public:
  Planner(const StepState& of, MemoryPlan& plan, const std::vector<int>& value_buffer, int op, int ops, bool trained)
      : step(of), plan_(plan), value_buffer_(value_buffer), forward_(op), backward_(2 * ops - 1 - op), trained_(trained) {}

  const StepState& step;
  bool needs(int v) const { return step.needs_weights[v]; }  // in the widest pass

  // Buffers of so many floats, given as factors. saved: from forward to backward; for the forward pass alone where no backward
  // follows.
  using Floats = std::initializer_list<std::int64_t>;
  int saved(Floats floats) { return plan_.add(checked_product(floats), forward_, trained_ ? backward_ : forward_); }
  int forward_scratch(Floats floats) { return plan_.add(checked_product(floats), forward_, forward_); }
  int backward_scratch(Floats floats) { return plan_.add(checked_product(floats), backward_, backward_); }
  void keep(int value) { plan_.extend(value_buffer_[value], backward_); }  // a value that backward reads

 private:
  MemoryPlan& plan_;
  const std::vector<int>& value_buffer_;
  int forward_, backward_;
  bool trained_;
};

class Op {
 public:
  virtual ~Op() = default;
  virtual void plan(Planner& planner) = 0;
  virtual void forward(StepState& step) = 0;
  virtual void backward(StepState& step) = 0;  // called when the output needs a gradient; never for the head
  // Looks at what forward keeps beside the output: "probabilities" of attention, or "".
  virtual std::string inner_non_finite(const StepState&) const { return ""; }

  std::string name;  // "linear layer.3.mlp.up"
  std::vector<int> inputs;
  int output = -1;
  // Backward runs from the tape's end: whoever writes a gradient first overwrites, the others add. One flag an input or weight.
  std::vector<char> add_to_input;
  std::vector<Weight*> weights;
  std::vector<char> add_to_weight;

 protected:
  float* in(const StepState& s, int i = 0) const { return s.value[inputs[i]]; }
  float* out(const StepState& s) const { return s.value[output]; }
  float* input_grad(const StepState& s, int i = 0) const { return s.needs(inputs[i]) ? s.grad[inputs[i]] : nullptr; }
  float* output_grad(const StepState& s) const { return s.grad[output]; }
  float* weight_grad(const StepState& s, int i = 0) const { return s.weights() ? weights[i]->slot.grad : nullptr; }
};

bool all_finite(const float* x, std::int64_t n);

}  // namespace khost
