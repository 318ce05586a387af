#include <cmath>

#include "compute/kernels.hpp"
#include "graph/op.hpp"

namespace khost {
namespace {

// y = x / sqrt(mean of x^2 + eps) * weight
class RmsNorm final : public Op {
 public:
  explicit RmsNorm(float eps) : eps_(eps) {}

  std::string_view name() const override { return "rms_norm"; }

  std::int64_t columns(const OpShapes& s) const override {
    if (s.vector(0) != s.columns())
      s.refuse(s.parameter(0) + " does not fit its input " + s.input() + ": expected " + text_of({s.columns()}));
    return s.columns();
  }

  void plan(OpPlan& p) override {
    rrms_ = p.saved({p.rows()});
    if (p.needs_gradient()) p.keep(0);
  }

  void forward(OpStep& s) override {
    kernels::rms_norm(s.rows(), s.columns(), s.in(), s.weight(), eps_, s.out(), s.buffer(rrms_));
  }

  void backward(OpStep& s) override {
    const float *x = s.in(), *rrms = s.buffer(rrms_), *dy = s.output_grad();
    if (float* dweight = s.weight_grad())
      kernels::norm_weight_gradient(s.rows(), s.columns(), x, nullptr, rrms, dy, dweight, s.add_to_weight());
    if (float* dx = s.input_grad())
      kernels::rms_norm_backward(s.rows(), s.columns(), x, rrms, s.weight(), dy, dx, s.add_to_input());
  }

  void in_double(OpDoubles& d) const override {
    const std::int64_t C = d.columns[0];
    for (std::int64_t r = 0; r < d.rows(); ++r) {
      const double* x = d.in[0]->data() + r * C;
      double square = 0;
      for (std::int64_t c = 0; c < C; ++c) square += x[c] * x[c] / static_cast<double>(C);
      for (std::int64_t c = 0; c < C; ++c)
        d.out[r * C + c] = x[c] / std::sqrt(square + static_cast<double>(eps_)) * (*d.weights[0])[c];
    }
  }

 private:
  float eps_;
  int rrms_ = -1;
};

const detail::RegisteredCase registered{{"rms_norm",
                                         {1, 2, 6, 12, 16, 33, 64},
                                         [](std::int64_t C) {
                                           return std::vector<Parameter>{{"w", {C}, Init::ones}};
                                         },
                                         [](Graph& g, Value x, std::int64_t) { return rms_norm(g, x, "w"); }}};

}  // namespace

Value rms_norm(Graph& g, Value x, std::string_view weight, float eps) {
  return g.apply(std::make_unique<RmsNorm>(eps), {x}, {weight});
}

}  // namespace khost
