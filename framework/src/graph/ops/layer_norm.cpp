#include <cmath>

#include "compute/kernels.hpp"
#include "graph/op.hpp"

namespace khost {
namespace {

// y = (x - mean) / sqrt(var + eps) * weight + bias
class LayerNorm final : public Op {
 public:
  explicit LayerNorm(float eps) : eps_(eps) {}

  std::string_view name() const override { return "layer_norm"; }

  std::int64_t columns(const OpShapes& s) const override {
    const std::int64_t C = s.columns();
    for (const std::size_t p : {0, 1})
      if (s.vector(p) != C) s.refuse(s.parameter(p) + " does not fit its input " + s.input() + ": expected " + text_of({C}));
    return C;
  }

  void plan(OpPlan& p) override {
    mean_ = p.saved({p.rows()});
    rstd_ = p.saved({p.rows()});
    if (p.needs_gradient()) p.keep(0);
  }

  void forward(OpStep& s) override {
    kernels::layer_norm(s.rows(), s.columns(), s.in(), s.weight(0), s.weight(1), eps_, s.out(), s.buffer(mean_), s.buffer(rstd_));
  }

  void backward(OpStep& s) override {
    const float *x = s.in(), *mean = s.buffer(mean_), *rstd = s.buffer(rstd_), *dy = s.output_grad();
    const std::int64_t rows = s.rows(), cols = s.columns();
    if (float* dweight = s.weight_grad(0))
      kernels::norm_weight_gradient(rows, cols, x, mean, rstd, dy, dweight, s.add_to_weight(0));
    if (float* dbias = s.weight_grad(1)) kernels::column_sums(rows, cols, dy, dbias, s.add_to_weight(1));
    if (float* dx = s.input_grad())
      kernels::layer_norm_backward(rows, cols, x, mean, rstd, s.weight(0), dy, dx, s.add_to_input());
  }

  void in_double(OpDoubles& d) const override {
    const std::int64_t C = d.columns[0];
    for (std::int64_t r = 0; r < d.rows(); ++r) {
      const double* x = d.in[0]->data() + r * C;
      double mean = 0, var = 0;
      for (std::int64_t c = 0; c < C; ++c) mean += x[c] / static_cast<double>(C);
      for (std::int64_t c = 0; c < C; ++c) var += std::pow(x[c] - mean, 2) / static_cast<double>(C);
      for (std::int64_t c = 0; c < C; ++c)
        d.out[r * C + c] = (x[c] - mean) / std::sqrt(var + static_cast<double>(eps_)) * (*d.weights[0])[c] + (*d.weights[1])[c];
    }
  }

 private:
  float eps_;
  int mean_ = -1, rstd_ = -1;
};

const detail::RegisteredCase registered{{"layer_norm",
                                         {3, 6, 12, 16, 33, 64},  // of two columns only their order is left
                                         [](std::int64_t C) {
                                           return std::vector<Parameter>{{"w", {C}, Init::ones}, {"b", {C}, Init::zeros}};
                                         },
                                         [](Graph& g, Value x, std::int64_t) { return layer_norm(g, x, "w", "b"); }}};

}  // namespace

Value layer_norm(Graph& g, Value x, std::string_view weight, std::string_view bias, float eps) {
  return g.apply(std::make_unique<LayerNorm>(eps), {x}, {weight, bias});
}

}  // namespace khost
