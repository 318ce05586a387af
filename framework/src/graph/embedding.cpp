#include <algorithm>
#include <optional>

#include "compute/kernels.hpp"
#include "graph/adapted_matrix.hpp"
#include "graph/ops.hpp"
#include "graph/token_rows.hpp"

namespace khost {
namespace {

// y[t] = W[token], of W with its adapter
class Embedding : public Op {
 public:
  void plan(Planner& p) override {
    adapter_.emplace(*weights[0]);
    const std::initializer_list<std::int64_t> floats{p.step.rows, adapter_->rank()};
    if (adapter_->rank() == 0) return;
    A_ = p.forward_scratch(floats);
    scratch_ = p.forward_scratch(floats);
    A_again_ = p.backward_scratch(floats);
    B_ = p.backward_scratch(floats);
    if (adapter_->trains_factors()) scratch_again_ = p.backward_scratch(floats);
  }

  void forward(StepState& s) override {
    gather_rows(s.rows, s.cols[output], weights[0]->slot.value, s.tokens, out(s));
    adapter_->lookup(s.backend, s.rows, s.tokens, s.buffer(A_), s.buffer(scratch_), out(s));
  }

  void backward(StepState& s) override {
    const Weight& w = *weights[0];
    const float* dy = output_grad(s);
    adapter_->lookup_gradients(s.backend, s.rows, s.tokens, dy, s.buffer(A_again_), s.buffer(B_), s.buffer(scratch_again_),
                               add_to_weight[0]);
    float* dW = weight_grad(s);
    if (!dW) return;
    if (!add_to_weight[0]) std::fill_n(dW, w.rows() * w.cols(), 0.0f);
    add_to_rows(s.rows, w.cols(), dy, s.tokens, dW);
  }

 private:
  std::optional<LowRank> adapter_;
  int A_ = -1, scratch_ = -1, A_again_ = -1, B_ = -1, scratch_again_ = -1;
};

// y[b, t] = x[b, t] + P[t]
class AddPositions : public Op {
 public:
  void plan(Planner&) override {}

  void forward(StepState& s) override {
    const std::int64_t block = s.sequence * s.cols[output];
    for (std::int64_t b = 0; b < s.batch; ++b) kernels::add(block, in(s) + b * block, weights[0]->slot.value, out(s) + b * block);
  }

  void backward(StepState& s) override {
    const float* dy = output_grad(s);
    const std::int64_t cols = s.cols[output], block = s.sequence * cols;
    if (float* dP = weight_grad(s)) {
      for (std::int64_t i = 0; i < block; ++i) {
        double sum = add_to_weight[0] ? dP[i] : 0.0f;
        for (std::int64_t b = 0; b < s.batch; ++b) sum += dy[b * block + i];
        dP[i] = static_cast<float>(sum);
      }
      if (!add_to_weight[0])
        std::fill(dP + block, dP + weights[0]->rows() * cols, 0.0f);  // positions that this batch does not reach
    }
    if (float* dx = input_grad(s)) {
      if (add_to_input[0])
        kernels::add(s.rows * cols, dx, dy, dx);
      else
        std::copy_n(dy, s.rows * cols, dx);
    }
  }
};

}  // namespace

std::unique_ptr<Op> make_embedding() { return std::make_unique<Embedding>(); }
std::unique_ptr<Op> make_add_positions() { return std::make_unique<AddPositions>(); }

}  // namespace khost
