#include "graph/op.hpp"

#include <cmath>
#include <numbers>

#include "compute/kernels.hpp"

namespace khost {
namespace {

// A function of each element. Forward keeps the slope instead of x: one exponential serves both the value and its derivative.
class Activation : public Op {
 public:
  std::int64_t columns(const OpShapes& s) const final { return s.columns(); }
  void plan(OpPlan& p) final {
    if (p.needs_gradient()) slope_ = p.saved({p.rows(), p.columns()});
  }
  void forward(OpStep& s) final { value(s.size(), s.in(), s.out(), s.needs_gradient() ? s.buffer(slope_) : nullptr); }
  void backward(OpStep& s) final {
    if (float* dx = s.input_grad()) kernels::multiply(s.size(), s.buffer(slope_), s.output_grad(), dx, s.add_to_input());
  }
  void in_double(OpDoubles& d) const final {
    for (std::size_t i = 0; i < d.out.size(); ++i) d.out[i] = in_double((*d.in[0])[i]);
  }

 private:
  virtual void value(std::int64_t n, const float* x, float* y, float* slope) const = 0;  // slope null: not wanted
  virtual double in_double(double x) const = 0;
  int slope_ = -1;
};

class ExactGelu final : public Activation {
  std::string_view name() const override { return "gelu"; }
  void value(std::int64_t n, const float* x, float* y, float* slope) const override {
    if (slope)
      kernels::gelu_with_slope(n, x, y, slope);
    else
      kernels::gelu(n, x, y);
  }
  double in_double(double x) const override { return x * 0.5 * (1 + std::erf(x / std::numbers::sqrt2)); }
};

class TanhGelu final : public Activation {
  std::string_view name() const override { return "gelu"; }
  void value(std::int64_t n, const float* x, float* y, float* slope) const override { kernels::gelu_tanh(n, x, y, slope); }
  double in_double(double x) const override {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  }
};

class Silu final : public Activation {
  std::string_view name() const override { return "silu"; }
  void value(std::int64_t n, const float* x, float* y, float* slope) const override { kernels::silu(n, x, y, slope); }
  double in_double(double x) const override { return x / (1 + std::exp(-x)); }
};

const auto nothing = [](std::int64_t) { return std::vector<Parameter>{}; };
const detail::RegisteredCase erf{{"gelu, erf", {1, 6, 33}, nothing, [](Graph& g, Value x, std::int64_t) { return gelu(g, x); }}};
const detail::RegisteredCase tanh{
    {"gelu, tanh", {1, 6, 33}, nothing, [](Graph& g, Value x, std::int64_t) { return gelu(g, x, Gelu::tanh); }}};
const detail::RegisteredCase sigmoid{{"silu", {1, 6, 33}, nothing, [](Graph& g, Value x, std::int64_t) { return silu(g, x); }}};

}  // namespace

Value gelu(Graph& g, Value x, Gelu form) {
  if (form == Gelu::tanh) return g.apply(std::make_unique<TanhGelu>(), {x});
  return g.apply(std::make_unique<ExactGelu>(), {x});
}
Value silu(Graph& g, Value x) { return g.apply(std::make_unique<Silu>(), {x}); }

}  // namespace khost
