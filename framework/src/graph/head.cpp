#include <algorithm>
#include <optional>

#include "compute/kernels.hpp"
#include "graph/adapted_matrix.hpp"
#include "graph/ops.hpp"

namespace khost {
namespace {

// Tokens whose logits exist at a time: enough that reading and laying out W for each chunk costs little beside the products, few
// enough that 15007 logits each stay a small part of a step's memory (15 MiB).
constexpr std::int64_t most_rows = 256;

// Logits, their cross-entropy and all of the head's gradients in one sweep over chunks of tokens: logits are by far the largest
// value, so they are used while they are there. What backward() of the others needs is the gradient of h.
class Head : public Op {
 public:
  void plan(Planner& p) override {
    matrix_.emplace(*weights[0], p.step.backend);
    chunk_ = std::min(most_rows, p.step.rows);
    ld_ = (weights[0]->rows() + 15) / 16 * 16;
    logits_ = p.forward_scratch({chunk_, ld_});
    if (const std::int64_t K = matrix_->adapter().rank(); K > 0) {
      A_ = p.forward_scratch({chunk_, K});
      B_ = p.forward_scratch({chunk_, K});
      scratch_ = p.forward_scratch({chunk_, K});
    }
    losses_.resize(static_cast<std::size_t>(chunk_));
  }

  void forward(StepState& s) override {
    const std::int64_t V = weights[0]->rows(), n = weights[0]->cols();
    float *logits = s.buffer(logits_), *A = s.buffer(A_), *B = s.buffer(B_), *scratch = s.buffer(scratch_);
    float* dh = input_grad(s);
    const bool adapted = s.gradients() && matrix_->adapter().rank() > 0, trained = weight_grad(s) != nullptr;
    const float scale = 1.0f / static_cast<float>(s.rows);
    double sum = 0;
    for (std::int64_t t = 0; t < s.rows; t += chunk_) {
      const std::int64_t rows = std::min(chunk_, s.rows - t);
      const float* h = in(s) + t * n;
      matrix_->forward(s.backend, rows, h, A, scratch, logits, ld_);
      if (s.look && s.found.empty()) look(s, rows, V);
      kernels::cross_entropy(rows, V, logits, ld_, s.targets + t, losses_.data(), adapted || trained || dh, scale);
      for (std::int64_t r = 0; r < rows; ++r) sum += losses_[static_cast<std::size_t>(r)];
      const bool add = t > 0 || add_to_weight[0];
      if (adapted) matrix_->adapter().product_gradients(s.backend, rows, h, A, logits, ld_, B, scratch, add);
      if (trained) matrix_->weight_gradient(s.backend, rows, logits, ld_, h, add);
      if (dh) matrix_->input_gradient(s.backend, rows, logits, ld_, B, scratch, dh + t * n, add_to_input[0]);
    }
    s.loss = sum / static_cast<double>(s.rows);
  }

  void backward(StepState&) override {}

 private:
  void look(StepState& s, std::int64_t rows, std::int64_t cols) const {
    if (matrix_->adapter().rank() > 0 && !all_finite(s.buffer(A_), rows * matrix_->adapter().rank()))
      s.found = "adapter's inner values of " + name;
    for (std::int64_t r = 0; r < rows && s.found.empty(); ++r)
      if (!all_finite(s.buffer(logits_) + r * ld_, cols)) s.found = "logits of " + name;
  }

  std::optional<MatrixProduct> matrix_;
  std::int64_t chunk_ = 0, ld_ = 0;
  int logits_ = -1, A_ = -1, B_ = -1, scratch_ = -1;
  std::vector<double> losses_;
};

}  // namespace

std::unique_ptr<Op> make_head() { return std::make_unique<Head>(); }

}  // namespace khost
