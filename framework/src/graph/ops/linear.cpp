#include <algorithm>
#include <optional>

#include "compute/kernels.hpp"
#include "graph/adapted_matrix.hpp"
#include "khost/adapter.hpp"
#include "khost/parallel.hpp"

namespace khost {
namespace {

void add_to_each_row(std::int64_t rows, std::int64_t cols, const float* b, float* y) {
  parallel_for(rows, 1 + 16384 / (1 + cols), [&](std::int64_t r, std::int64_t end) {
    for (; r < end; ++r)
      for (std::int64_t c = 0; c < cols; ++c) y[r * cols + c] += b[c];
  });
}

// y = x + b: the bias of a linear map whose adapter comes before it
class AddBias final : public Op {
 public:
  std::string_view name() const override { return "add_bias"; }
  bool in_place() const override { return true; }
  std::int64_t columns(const OpShapes& s) const override {
    if (s.vector(0) != s.columns()) s.refuse(s.parameter(0) + " does not fit its input " + s.input());
    return s.columns();
  }
  void forward(OpStep& s) override {
    hand_on(s.size(), s.in(), s.out(), false);
    add_to_each_row(s.rows(), s.columns(), s.weight(), s.out());
  }
  void backward(OpStep& s) override {
    const float* dy = s.output_grad();
    if (float* db = s.weight_grad()) kernels::column_sums(s.rows(), s.columns(), dy, db, s.add_to_weight());
    if (float* dx = s.input_grad()) hand_on(s.size(), dy, dx, s.add_to_input());
  }
  void in_double(OpDoubles& d) const override {
    const std::int64_t C = d.columns[0];
    for (std::int64_t r = 0; r < d.rows(); ++r)
      for (std::int64_t c = 0; c < C; ++c) d.out[r * C + c] = (*d.in[0])[r * C + c] + (*d.weights[0])[c];
  }
};

// y = x A
class Matmul final : public Op {
 public:
  std::string_view name() const override { return "matmul"; }
  std::int64_t columns(const OpShapes& s) const override {
    const auto [m, n] = s.matrix(0);
    if (m != s.columns())
      s.refuse(s.parameter(0) + " does not fit its input " + s.input() + ": expected " + std::to_string(s.columns()) + " rows");
    return n;
  }
  void plan(OpPlan& p) override {
    if (p.planner().placed.weights[0]->slot.grad) p.keep(0);
  }
  void forward(OpStep& s) override {
    const std::int64_t m = s.columns(0), n = s.columns();
    s.gemm({0, 0, s.rows(), n, m, 1.0f, s.in(), m, s.weight(), n, 0.0f, s.out(), n});
  }
  void backward(OpStep& s) override {
    const std::int64_t m = s.columns(0), n = s.columns();
    const float* dy = s.output_grad();
    if (float* dA = s.weight_grad())
      s.gemm({1, 0, m, n, s.rows(), 1.0f, s.in(), m, dy, n, s.add_to_weight() ? 1.0f : 0.0f, dA, n});
    if (float* dx = s.input_grad())
      s.gemm({0, 1, s.rows(), m, n, 1.0f, dy, n, s.weight(), n, s.add_to_input() ? 1.0f : 0.0f, dx, m});
  }
  void in_double(OpDoubles& d) const override {
    const std::int64_t m = d.shapes[0][0], n = d.shapes[0][1];
    for (std::int64_t r = 0; r < d.rows(); ++r)
      for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) d.out[r * n + j] += (*d.in[0])[r * m + i] * (*d.weights[0])[i * n + j];
  }
};

// y = x W' + b, of W with its adapter
class Linear final : public Op {
 public:
  explicit Linear(bool biased) : biased_(biased) {}

  std::string_view name() const override { return "linear"; }
  bool adapts() const override { return true; }

  std::int64_t columns(const OpShapes& s) const override {
    const auto [m, n] = s.matrix(0);
    if (n != s.columns())
      s.refuse(s.parameter(0) + " (out x in) does not fit its input " + s.input() + ": expected " + std::to_string(s.columns()) +
               " columns");
    if (biased_ && s.vector(1) != m) s.refuse(s.parameter(1) + " does not fit " + s.parameter(0) + ": expected " + text_of({m}));
    return m;
  }

  void plan(OpPlan& p) override {
    matrix_.emplace(*p.planner().placed.weights[0], p.planner().step.backend, p.rows());
    if (const std::int64_t K = matrix_->adapter().rank(); K > 0) {
      const OpPlan::Floats floats{p.rows(), K};
      A_ = p.saved(floats);
      scratch_ = p.forward_scratch(floats);
      B_ = p.backward_scratch(floats);
      scratch_again_ = p.backward_scratch(floats);
    }
    if (p.planner().placed.weights[0]->slot.grad || matrix_->adapter().trains_factors()) p.keep(0);
  }

  void forward(OpStep& s) override {
    matrix_->forward(s.state().backend, s.rows(), s.in(), s.buffer(A_), s.buffer(scratch_), s.out(), s.columns());
    if (biased_) add_to_each_row(s.rows(), s.columns(), s.weight(1), s.out());
  }

  void backward(OpStep& s) override {
    Backend& backend = s.state().backend;
    const float* dy = s.output_grad();
    const std::int64_t rows = s.rows(), ldy = s.columns();
    float* B = s.buffer(B_);
    float* scratch = s.buffer(scratch_again_);
    matrix_->adapter().product_gradients(backend, rows, s.in(), s.buffer(A_), dy, ldy, B, scratch, s.add_to_weight());
    if (s.weight_grad()) matrix_->weight_gradient(backend, rows, dy, ldy, s.in(), s.add_to_weight());
    if (float* db = biased_ ? s.weight_grad(1) : nullptr) kernels::column_sums(rows, ldy, dy, db, s.add_to_weight(1));
    if (float* dx = s.input_grad()) matrix_->input_gradient(backend, rows, dy, ldy, B, scratch, dx, s.add_to_input());
  }

  Value adapted(Graph& g, std::span<const Value> inputs, std::span<const std::string_view> parameters, const Adapter& adapter,
                const AdaptedTo& own) const override {
    const Value y = adapter.linear(g, inputs[0], linear(g, inputs[0], parameters[0]), own);
    return biased_ ? g.apply(std::make_unique<AddBias>(), {y}, {parameters[1]}) : y;
  }

  void in_double(OpDoubles& d) const override {
    const std::int64_t m = d.shapes[0][0], n = d.shapes[0][1];
    for (std::int64_t r = 0; r < d.rows(); ++r)
      for (std::int64_t i = 0; i < m; ++i) {
        double& y = d.out[r * m + i];
        for (std::int64_t j = 0; j < n; ++j) y += (*d.in[0])[r * n + j] * (*d.weights[0])[i * n + j];
        if (biased_) y += (*d.weights[1])[i];
      }
  }

  std::string inner_non_finite(const OpStep& s) const override {
    return A_ >= 0 && !all_finite(s.buffer(A_), s.rows() * matrix_->adapter().rank()) ? "adapter's inner values" : "";
  }

 private:
  bool biased_;
  std::optional<MatrixProduct> matrix_;
  int A_ = -1, scratch_ = -1, B_ = -1, scratch_again_ = -1;
};

const detail::RegisteredCase plain{{"linear",
                                    {1, 13, 33},
                                    [](std::int64_t C) {
                                      return std::vector<Parameter>{{"W", {12, C}}};
                                    },
                                    [](Graph& g, Value x, std::int64_t) { return linear(g, x, "W"); }}};
const detail::RegisteredCase biased{{"linear with a bias",
                                     {1, 13, 33},
                                     [](std::int64_t C) {
                                       return std::vector<Parameter>{{"W", {12, C}}, {"b", {12}}};
                                     },
                                     [](Graph& g, Value x, std::int64_t) { return linear(g, x, "W", "b"); }}};
const detail::RegisteredCase transposed{{"matmul",
                                         {1, 13, 33},
                                         [](std::int64_t C) {
                                           return std::vector<Parameter>{{"A", {C, 12}}};
                                         },
                                         [](Graph& g, Value x, std::int64_t) { return matmul(g, x, "A"); }}};
const detail::RegisteredCase bias_alone{
    {"add_bias",
     {1, 13, 33},
     [](std::int64_t C) {
       return std::vector<Parameter>{{"b", {C}}};
     },
     [](Graph& g, Value x, std::int64_t) { return g.apply(std::make_unique<AddBias>(), {x}, {"b"}); }}};

}  // namespace

Value linear(Graph& g, Value x, std::string_view W) { return g.apply(std::make_unique<Linear>(false), {x}, {W}); }
Value linear(Graph& g, Value x, std::string_view W, std::string_view b) {
  return g.apply(std::make_unique<Linear>(true), {x}, {W, b});
}
Value matmul(Graph& g, Value x, std::string_view A) { return g.apply(std::make_unique<Matmul>(), {x}, {A}); }

}  // namespace khost
