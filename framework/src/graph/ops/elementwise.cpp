#include "compute/kernels.hpp"
#include "graph/op.hpp"
#include "khost/parallel.hpp"

namespace khost {
namespace {

std::int64_t common_columns(const OpShapes& s) {
  if (s.columns(0) != s.columns(1)) s.refuse("its inputs " + s.input(0) + " and " + s.input(1) + " differ in shape");
  return s.columns(0);
}

class Add final : public Op {
 public:
  std::string_view name() const override { return "add"; }
  bool in_place() const override { return true; }
  std::int64_t columns(const OpShapes& s) const override { return common_columns(s); }
  void forward(OpStep& s) override { kernels::add(s.size(), s.in(0), s.in(1), s.out()); }
  void backward(OpStep& s) override {
    for (const std::size_t i : {0, 1})
      if (float* dx = s.input_grad(i)) hand_on(s.size(), s.output_grad(), dx, s.add_to_input(i));
  }
  void in_double(OpDoubles& d) const override {
    for (std::size_t i = 0; i < d.out.size(); ++i) d.out[i] = (*d.in[0])[i] + (*d.in[1])[i];
  }
};

class Multiply final : public Op {
 public:
  std::string_view name() const override { return "multiply"; }
  std::int64_t columns(const OpShapes& s) const override { return common_columns(s); }
  void plan(OpPlan& p) override {
    if (!p.needs_gradient()) return;
    p.keep(0);
    p.keep(1);
  }
  void forward(OpStep& s) override { kernels::multiply(s.size(), s.in(0), s.in(1), s.out(), false); }
  void backward(OpStep& s) override {
    for (const std::size_t i : {0, 1})
      if (float* dx = s.input_grad(i)) kernels::multiply(s.size(), s.in(1 - i), s.output_grad(), dx, s.add_to_input(i));
  }
  void in_double(OpDoubles& d) const override {
    for (std::size_t i = 0; i < d.out.size(); ++i) d.out[i] = (*d.in[0])[i] * (*d.in[1])[i];
  }
};

class Scale final : public Op {
 public:
  explicit Scale(float factor) : factor_(factor) {}
  std::string_view name() const override { return "scale"; }
  std::int64_t columns(const OpShapes& s) const override { return s.columns(); }
  void forward(OpStep& s) override { times(s.size(), s.in(), s.out(), false); }
  void backward(OpStep& s) override {
    if (float* dx = s.input_grad()) times(s.size(), s.output_grad(), dx, s.add_to_input());
  }
  void in_double(OpDoubles& d) const override {
    for (std::size_t i = 0; i < d.out.size(); ++i) d.out[i] = static_cast<double>(factor_) * (*d.in[0])[i];
  }

 private:
  void times(std::int64_t n, const float* x, float* y, bool accumulate) const {
    parallel_for(n, 16384, [=, factor = factor_](std::int64_t i, std::int64_t end) {
      for (; i < end; ++i) y[i] = accumulate ? y[i] + factor * x[i] : factor * x[i];
    });
  }
  float factor_;
};

const auto matrix = [](std::int64_t C) { return std::vector<Parameter>{{"W", {C, C}}}; };
const auto nothing = [](std::int64_t) { return std::vector<Parameter>{}; };
const detail::RegisteredCase sum{
    {"add", {1, 6, 33}, matrix, [](Graph& g, Value x, std::int64_t) { return add(g, linear(g, x, "W"), x); }}};
const detail::RegisteredCase twice{
    {"add of a value to itself", {1, 6, 33}, nothing, [](Graph& g, Value x, std::int64_t) { return add(g, x, x); }}};
// Where a sum may lie in an input's place, and where it may not: each is read once more, before or after.
const detail::RegisteredCase sums{{"add, of what others read too", {1, 6, 33}, matrix, [](Graph& g, Value x, std::int64_t) {
                                     const Value y = linear(g, x, "W"), between = gelu(g, x);
                                     const Value s = add(g, x, y), later = add(g, y, between);
                                     const Value kept = multiply(g, s, later), t = add(g, s, kept);
                                     return add(g, add(g, t, gelu(g, t)), add(g, later, t));
                                   }}};
const detail::RegisteredCase stream{{"add, one after another", {1, 6, 33}, matrix, [](Graph& g, Value x, std::int64_t) {
                                       for (int i = 0; i < 3; ++i) x = add(g, x, linear(g, gelu(g, x), "W"));
                                       return x;
                                     }}};
const detail::RegisteredCase product{
    {"multiply", {1, 6, 33}, matrix, [](Graph& g, Value x, std::int64_t) { return multiply(g, linear(g, x, "W"), x); }}};
const detail::RegisteredCase square{
    {"multiply of a value by itself", {1, 6, 33}, nothing, [](Graph& g, Value x, std::int64_t) { return multiply(g, x, x); }}};
const detail::RegisteredCase scaled{
    {"scale", {1, 6, 33}, nothing, [](Graph& g, Value x, std::int64_t) { return add(g, scale(g, x, -1.75f), x); }}};

}  // namespace

Value add(Graph& g, Value a, Value b) { return g.apply(std::make_unique<Add>(), {a, b}); }
Value multiply(Graph& g, Value a, Value b) { return g.apply(std::make_unique<Multiply>(), {a, b}); }
Value scale(Graph& g, Value x, float factor) { return g.apply(std::make_unique<Scale>(factor), {x}); }

}  // namespace khost
