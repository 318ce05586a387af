#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "compute/kernels.hpp"
#include "graph/adapted_matrix.hpp"
#include "khost/adapter.hpp"

namespace khost {
namespace {

// -log softmax(logits)[target] in double, `logit(i)` of one row.
template <class F>
double row_loss(std::int64_t m, std::int32_t target, F&& logit) {
  double total = 0, aim = 0;
  for (std::int64_t i = 0; i < m; ++i) {
    const double value = logit(i);
    total += std::exp(value);
    if (i == target) aim = value;
  }
  return std::log(total) - aim;
}

// The mean of `row(r)` over the rows whose target counts.
template <class F>
double mean_loss(const OpDoubles& d, F&& row) {
  double sum = 0, n = 0;
  for (std::int64_t r = 0; r < d.rows(); ++r)
    if (d.targets[static_cast<std::size_t>(r)] != ignored_target) sum += row(r), ++n;
  return sum / n;
}

// Logits, their cross-entropy and all of the head's gradients in one sweep over chunks of tokens: logits are by far the largest
// value, so they are used while they are there. What backward() of the others needs is the gradient of h.
class Head final : public Op {
 public:
  std::string_view name() const override { return "head"; }
  bool adapts() const override { return true; }
  bool ends() const override { return true; }

  std::int64_t columns(const OpShapes& s) const override {
    const auto [m, n] = s.matrix(0);
    if (n != s.columns())
      s.refuse(s.parameter(0) + " does not fit its input " + s.input() + ": expected " + std::to_string(s.columns()) +
               " columns");
    return m;
  }

  void plan(OpPlan& p) override {
    Weight& w = *p.planner().placed.weights[0];
    chunk_ = std::min(most_rows_of_logits, p.rows());
    matrix_.emplace(w, p.planner().step.backend, chunk_);
    ld_ = (w.rows() + 15) / 16 * 16;
    logits_ = p.forward_scratch({chunk_, ld_});
    if (const std::int64_t K = matrix_->adapter().rank(); K > 0) {
      A_ = p.forward_scratch({chunk_, K});
      B_ = p.forward_scratch({chunk_, K});
      scratch_ = p.forward_scratch({chunk_, K});
    }
    losses_.resize(static_cast<std::size_t>(chunk_));
  }

  void forward(OpStep& step) override {
    StepState& s = step.state();
    const Weight& w = *step.placed().weights[0];
    const std::int64_t V = w.rows(), n = w.cols();
    float *logits = s.buffer(logits_), *A = s.buffer(A_), *B = s.buffer(B_), *scratch = s.buffer(scratch_);
    float* dh = step.input_grad();
    const bool adapted = s.gradients() && matrix_->adapter().rank() > 0, trained = step.weight_grad() != nullptr;
    const float scale = 1.0f / static_cast<float>(s.counted);
    double sum = 0;
    for (std::int64_t t = 0; t < s.rows; t += chunk_) {
      const std::int64_t rows = std::min(chunk_, s.rows - t);
      const float* h = step.in() + t * n;
      matrix_->forward(s.backend, rows, h, A, scratch, logits, ld_);
      if (s.look && s.found.empty()) look(s, step.placed().name, rows, V);
      if (adapted || trained || dh)
        kernels::cross_entropy_gradient(rows, V, logits, ld_, s.targets + t, losses_.data(), scale);
      else
        kernels::cross_entropy(rows, V, logits, ld_, s.targets + t, losses_.data());
      for (std::int64_t r = 0; r < rows; ++r) sum += losses_[static_cast<std::size_t>(r)];
      const bool add = t > 0 || step.add_to_weight();
      if (adapted) matrix_->adapter().product_gradients(s.backend, rows, h, A, logits, ld_, B, scratch, add);
      if (trained) matrix_->weight_gradient(s.backend, rows, logits, ld_, h, add);
      if (dh) matrix_->input_gradient(s.backend, rows, logits, ld_, B, scratch, dh + t * n, step.add_to_input());
    }
    s.loss += sum / static_cast<double>(s.counted);
  }

  void backward(OpStep&) override {}

  Value adapted(Graph& g, std::span<const Value> inputs, std::span<const std::string_view> parameters, const Adapter& adapter,
                const AdaptedTo& own) const override {
    cross_entropy(g, adapter.linear(g, inputs[0], linear(g, inputs[0], parameters[0]), own));
    return {};
  }

  void in_double(OpDoubles& d) const override {
    const std::int64_t m = d.shapes[0][0], n = d.shapes[0][1];
    d.loss = mean_loss(d, [&](std::int64_t r) {
      return row_loss(m, d.targets[static_cast<std::size_t>(r)], [&](std::int64_t i) {
        double logit = 0;
        for (std::int64_t j = 0; j < n; ++j) logit += (*d.in[0])[r * n + j] * (*d.weights[0])[i * n + j];
        return logit;
      });
    });
  }

 private:
  void look(StepState& s, const std::string& name, std::int64_t rows, std::int64_t cols) const {
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

// Of logits that are there: their gradient is made in the forward pass, as the head's is, in their place where nobody else reads
// them.
class CrossEntropy final : public Op {
 public:
  std::string_view name() const override { return "cross_entropy"; }
  bool ends() const override { return true; }
  std::int64_t columns(const OpShapes& s) const override { return s.columns(); }

  bool in_place() const override { return true; }

  void plan(OpPlan& p) override { losses_.resize(static_cast<std::size_t>(p.rows())); }

  // It ends the tape: the others that read the logits run backward after it, so it is the first to write their gradient.
  void forward(OpStep& step) override {
    StepState& s = step.state();
    const std::int64_t V = step.columns(0);
    if (float* dx = step.input_grad()) {
      hand_on(s.rows * V, step.in(), dx, false);
      kernels::cross_entropy_gradient(s.rows, V, dx, V, s.targets, losses_.data(), 1.0f / static_cast<float>(s.counted));
    } else {
      kernels::cross_entropy(s.rows, V, step.in(), V, s.targets, losses_.data());
    }
    s.loss += std::accumulate(losses_.begin(), losses_.end(), 0.0) / static_cast<double>(s.counted);
  }

  void backward(OpStep&) override {}

  void in_double(OpDoubles& d) const override {
    const std::int64_t V = d.columns[0];
    d.loss = mean_loss(d, [&](std::int64_t r) {
      return row_loss(V, d.targets[static_cast<std::size_t>(r)], [&](std::int64_t i) { return (*d.in[0])[r * V + i]; });
    });
  }

 private:
  std::vector<double> losses_;
};

}  // namespace

void cross_entropy(Graph& g, Value logits) { g.apply(std::make_unique<CrossEntropy>(), {logits}); }
void head_cross_entropy(Graph& g, Value h, std::string_view W) { g.apply(std::make_unique<Head>(), {h}, {W}); }

}  // namespace khost
