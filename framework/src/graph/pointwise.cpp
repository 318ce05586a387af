// layer_norm, gelu and add: the operations that look at one row or one element at a time.
#include <algorithm>

#include "compute/kernels.hpp"
#include "graph/ops.hpp"

namespace khost {
namespace {

class LayerNorm : public Op {
 public:
  explicit LayerNorm(float eps) : eps_(eps) {}

  void plan(Planner& p) override {
    mean_ = p.saved({p.step.rows});
    rstd_ = p.saved({p.step.rows});
    if (p.needs(output)) p.keep(inputs[0]);
  }

  void forward(StepState& s) override {
    kernels::layer_norm(s.rows, s.cols[output], in(s), weights[0]->slot.value, weights[1]->slot.value, eps_, out(s),
                        s.buffer(mean_), s.buffer(rstd_));
  }

  void backward(StepState& s) override {
    const float *x = in(s), *mean = s.buffer(mean_), *rstd = s.buffer(rstd_), *dy = output_grad(s);
    const std::int64_t cols = s.cols[output];
    float *dweight = weight_grad(s, 0), *dbias = weight_grad(s, 1);
    if (dweight) kernels::layer_norm_weight_gradients(s.rows, cols, x, mean, rstd, dy, dweight, nullptr, add_to_weight[0]);
    if (dbias) kernels::layer_norm_weight_gradients(s.rows, cols, x, mean, rstd, dy, nullptr, dbias, add_to_weight[1]);
    if (float* dx = input_grad(s))
      kernels::layer_norm_backward(s.rows, cols, x, mean, rstd, weights[0]->slot.value, dy, dx, add_to_input[0]);
  }

 private:
  float eps_;
  int mean_ = -1, rstd_ = -1;
};

// Forward keeps the slope instead of x: one exponential serves both the value and its derivative.
class Gelu : public Op {
 public:
  void plan(Planner& p) override {
    if (p.needs(output)) slope_ = p.saved({p.step.rows, p.step.cols[output]});
  }

  void forward(StepState& s) override {
    const std::int64_t n = s.rows * s.cols[output];
    if (s.needs(output))
      kernels::gelu_with_slope(n, in(s), out(s), s.buffer(slope_));
    else
      kernels::gelu(n, in(s), out(s));
  }

  void backward(StepState& s) override {
    if (float* dx = input_grad(s))
      kernels::multiply(s.rows * s.cols[output], s.buffer(slope_), output_grad(s), dx, add_to_input[0]);
  }

 private:
  int slope_ = -1;
};

class Add : public Op {
 public:
  void plan(Planner&) override {}
  void forward(StepState& s) override { kernels::add(s.rows * s.cols[output], in(s, 0), in(s, 1), out(s)); }
  void backward(StepState& s) override {
    const std::int64_t n = s.rows * s.cols[output];
    const float* dy = output_grad(s);
    for (int i = 0; i < 2; ++i) {
      float* dx = input_grad(s, i);
      if (!dx || dx == dy) continue;
      if (add_to_input[i])
        kernels::add(n, dx, dy, dx);
      else
        std::copy_n(dy, n, dx);
    }
  }
};

}  // namespace

std::unique_ptr<Op> make_layer_norm(float eps) { return std::make_unique<LayerNorm>(eps); }
std::unique_ptr<Op> make_gelu() { return std::make_unique<Gelu>(); }
std::unique_ptr<Op> make_add() { return std::make_unique<Add>(); }

}  // namespace khost
