#include <optional>

#include "graph/adapted_matrix.hpp"
#include "graph/ops.hpp"

namespace khost {
namespace {

class Linear : public Op {
 public:
  void plan(Planner& p) override {
    matrix_.emplace(*weights[0], p.step.backend);
    if (const std::int64_t K = matrix_->adapter().rank(); K > 0) {
      const std::initializer_list<std::int64_t> floats{p.step.rows, K};
      A_ = p.saved(floats);
      scratch_ = p.forward_scratch(floats);
      B_ = p.backward_scratch(floats);
      scratch_again_ = p.backward_scratch(floats);
    }
    if (weights[0]->slot.grad || matrix_->adapter().trains_factors()) p.keep(inputs[0]);
  }

  void forward(StepState& s) override {
    matrix_->forward(s.backend, s.rows, in(s), s.buffer(A_), s.buffer(scratch_), out(s), s.cols[output]);
  }

  void backward(StepState& s) override {
    const float* dy = output_grad(s);
    const std::int64_t ldy = s.cols[output];
    float* B = s.buffer(B_);
    float* scratch = s.buffer(scratch_again_);
    matrix_->adapter().product_gradients(s.backend, s.rows, in(s), s.buffer(A_), dy, ldy, B, scratch, add_to_weight[0]);
    if (weight_grad(s)) matrix_->weight_gradient(s.backend, s.rows, dy, ldy, in(s), add_to_weight[0]);
    if (float* dx = input_grad(s)) matrix_->input_gradient(s.backend, s.rows, dy, ldy, B, scratch, dx, add_to_input[0]);
  }

  std::string inner_non_finite(const StepState& s) const override {
    return A_ >= 0 && !all_finite(s.buffer(A_), s.rows * matrix_->adapter().rank()) ? "adapter's inner values" : "";
  }

 private:
  std::optional<MatrixProduct> matrix_;
  int A_ = -1, scratch_ = -1, B_ = -1, scratch_again_ = -1;
};

}  // namespace

std::unique_ptr<Op> make_linear() { return std::make_unique<Linear>(); }

}  // namespace khost
