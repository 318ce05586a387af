// An operation: its name, shape rule, memory, forward and backward pass, and its definition in double. One file holds all of one
// operation; src/graph/ops has them, and a model plugin may bring its own. (In draft/: may still change.)
//
//   class Silu final : public Op { ... };
//   Value silu(Graph& g, Value x) { return g.apply(std::make_unique<Silu>(), {x}); }
//
// An operation serves one program: one model at one batch shape. Its calls come in this order, all from one thread: columns();
// plan(); then for each pass forward() and, where gradients are asked for, backward(). Each may use khost::parallel_for. What the
// classes below hand out is valid during that call. Values are [B*T, columns], row-major f32.
//
// One that an adapter uses in the head is given a part of the batch at a time, some whole sequences, as plan() has it, and in one
// pass forward() and backward() as many times as there are parts. It takes each sequence by itself.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "khost/compute.hpp"
#include "khost/graph.hpp"
#include "khost/model.hpp"

namespace khost {

class Adapter;
struct AdaptedTo;
struct Placed;     // where an operation stands on the tape
struct StepState;  // of a program
class Planner;

// As the tape records it: what it is to read.
class OpShapes {
 public:
  OpShapes(const Placed& placed, std::int64_t batch, std::int64_t sequence, const std::vector<std::int64_t>& columns)
      : placed_(placed), batch_(batch), sequence_(sequence), columns_(columns) {}

  std::int64_t batch() const { return batch_; }        // B
  std::int64_t sequence() const { return sequence_; }  // T
  std::int64_t rows() const;                           // B T
  std::int64_t columns(std::size_t input = 0) const;
  std::string input(std::size_t i = 0) const;  // its shape in words: "[10, 6]"

  // A parameter that has to be a vector [n], or a matrix [m, n]. Throws where it has other dimensions.
  std::int64_t vector(std::size_t parameter) const;
  struct Matrix {
    std::int64_t m, n;
  };
  Matrix matrix(std::size_t parameter) const;
  std::string parameter(std::size_t i) const;  // "'layer.0.ln1.weight' [256]"

  // Throws a plugin Error: "rms_norm layer.0.ln1.weight: WHY".
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  const Placed& placed_;
  std::int64_t batch_, sequence_;
  const std::vector<std::int64_t>& columns_;  // of all values so far
};

// While memory is planned, once for all passes.
class OpPlan {
 public:
  explicit OpPlan(Planner& planner) : planner_(planner) {}

  std::int64_t batch() const;
  std::int64_t sequence() const;
  std::int64_t rows() const;
  std::int64_t columns() const;  // of the output
  std::int64_t columns(std::size_t input) const;
  bool needs_gradient() const;  // of the output, in the widest pass: without it backward() is never called

  // A buffer of so many floats, given as factors; OpStep::buffer() is where it lies. Saved: from forward to backward, or while
  // forward runs where no backward follows.
  using Floats = std::initializer_list<std::int64_t>;
  int saved(Floats floats);
  int forward_scratch(Floats floats);
  int backward_scratch(Floats floats);
  void keep(std::size_t input);  // backward reads this input

  Planner& planner() const { return planner_; }  // the host's own

 private:
  Planner& planner_;
};

// One pass.
class OpStep {
 public:
  OpStep(StepState& state, const Placed& placed) : state_(state), placed_(placed) {}

  std::int64_t batch() const;
  std::int64_t sequence() const;
  std::int64_t rows() const;
  std::int64_t columns() const;  // of the output
  std::int64_t columns(std::size_t input) const;
  std::int64_t size() const { return rows() * columns(); }  // of the output
  const std::int32_t* tokens() const;                       // [B, T]
  const std::int32_t* targets() const;
  float* buffer(int id) const;

  const float* in(std::size_t input = 0) const;
  float* out() const;
  const float* weight(std::size_t parameter = 0) const;

  bool needs_gradient() const;  // of the output, in this pass
  const float* output_grad() const;
  // Where backward() writes a gradient: null where none is asked for. What another operation has written there before is added
  // to where add_*() says so, else overwritten.
  float* input_grad(std::size_t input = 0) const;
  bool add_to_input(std::size_t input = 0) const;
  float* weight_grad(std::size_t parameter = 0) const;
  bool add_to_weight(std::size_t parameter = 0) const;

  // C = alpha op(A) op(B) + beta C on the run's backend.
  void gemm(const khost_gemm& g) const;

  StepState& state() const { return state_; }  // the host's own
  const Placed& placed() const { return placed_; }

 private:
  StepState& state_;
  const Placed& placed_;
};

// For tests: a forward pass in double. Parameters come with what adapters add to them.
struct OpDoubles {
  using Doubles = std::vector<double>;
  std::int64_t batch, sequence;
  std::span<const std::int32_t> tokens, targets;
  std::vector<const Doubles*> in, weights;
  std::vector<std::int64_t> columns;  // of the inputs
  std::vector<Shape> shapes;          // of the parameters
  Doubles& out;                       // [B*T, columns of the output], zero
  double& loss;                       // of an operation that ends the tape

  std::int64_t rows() const { return batch * sequence; }
};

class Op {
 public:
  virtual ~Op();
  virtual std::string_view name() const = 0;  // "rms_norm"
  // Of its output; refuses what does not fit.
  virtual std::int64_t columns(const OpShapes& shapes) const = 0;
  virtual void plan(OpPlan& plan);
  virtual void forward(OpStep& step) = 0;
  virtual void backward(OpStep& step) = 0;
  // The same as forward() from the definition alone, in plain loops: its gradients come by central differences.
  virtual void in_double(OpDoubles& d) const = 0;
  // Looks at what forward() keeps beside the output, for the message of a loss that is not finite: "probabilities", or "".
  virtual std::string inner_non_finite(const OpStep& step) const;

  // The host's own: whether its first parameter may carry an adapter; whether it ends the tape with the loss.
  virtual bool adapts() const;
  virtual bool ends() const;
  // Whether a buffer may be two things, which makes it one pass over memory less. Of what ends the tape: its input and the
  // gradient of it. Of the others, which are sums of at most two inputs: its output and an input, and the gradients of these.
  // Where they are, forward() overwrites what it reads, a gradient is where it is to be handed on to, and backward() reads no
  // values.
  virtual bool in_place() const;
  // In place of one that adapts(), of a matrix whose adapter is written in operations: the operation without it, and what the
  // adapter adds.
  virtual Value adapted(Graph& g, std::span<const Value> inputs, std::span<const std::string_view> parameters,
                        const Adapter& adapter, const AdaptedTo& own) const;
};

// A test of an operation, beside it in its file: how it stands between an embedding and a head. tests/unit/graph_test.cpp runs
// all of them: on every backend, at several shapes, every gradient against central differences of in_double().
struct OpCase {
  std::string name;
  std::vector<std::int64_t> widths;                      // C, of the value that it is given
  std::vector<Parameter> (*parameters)(std::int64_t C);  // that it needs beside it
  Value (*build)(Graph& g, Value x, std::int64_t C);     // x [B*T, C] -> anything
};
const std::vector<OpCase>& op_cases();

namespace detail {
struct RegisteredCase {
  explicit RegisteredCase(OpCase c);
};
}  // namespace detail

}  // namespace khost
