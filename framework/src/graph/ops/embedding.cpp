#include <algorithm>
#include <optional>

#include "graph/adapted_matrix.hpp"
#include "graph/token_rows.hpp"
#include "khost/adapter.hpp"

namespace khost {
namespace {

// y[t] = W[token], of W with its adapter. Its cases are those of all operations, which stand between an embedding and a head.
class Embedding final : public Op {
 public:
  std::string_view name() const override { return "embedding"; }
  bool adapts() const override { return true; }

  std::int64_t columns(const OpShapes& s) const override { return s.matrix(0).n; }

  void plan(OpPlan& p) override {
    adapter_.emplace(*p.planner().placed.weights[0]);
    if (adapter_->rank() == 0) return;
    const OpPlan::Floats floats{p.rows(), adapter_->rank()};
    A_ = p.forward_scratch(floats);
    scratch_ = p.forward_scratch(floats);
    A_again_ = p.backward_scratch(floats);
    B_ = p.backward_scratch(floats);
    if (adapter_->trains_factors()) scratch_again_ = p.backward_scratch(floats);
  }

  void forward(OpStep& s) override {
    gather_rows(s.rows(), s.columns(), s.weight(), s.tokens(), s.out());
    adapter_->lookup(s.state().backend, s.rows(), s.tokens(), s.buffer(A_), s.buffer(scratch_), s.out());
  }

  void backward(OpStep& s) override {
    const Weight& w = *s.placed().weights[0];
    const float* dy = s.output_grad();
    adapter_->lookup_gradients(s.state().backend, s.rows(), s.tokens(), dy, s.buffer(A_again_), s.buffer(B_),
                               s.buffer(scratch_again_), s.add_to_weight());
    float* dW = s.weight_grad();
    if (!dW) return;
    if (!s.add_to_weight()) std::fill_n(dW, w.rows() * w.cols(), 0.0f);
    add_to_rows(s.rows(), w.cols(), dy, s.tokens(), dW);
  }

  Value adapted(Graph& g, std::span<const Value>, std::span<const std::string_view> parameters, const Adapter& adapter,
                const AdaptedTo& own) const override {
    return adapter.lookup(g, embedding(g, parameters[0]), own);
  }

  void in_double(OpDoubles& d) const override {
    const std::int64_t C = d.shapes[0][1];
    for (std::int64_t t = 0; t < d.rows(); ++t)
      std::copy_n(d.weights[0]->begin() + d.tokens[static_cast<std::size_t>(t)] * C, C, d.out.begin() + t * C);
  }

 private:
  std::optional<LowRank> adapter_;
  int A_ = -1, scratch_ = -1, A_again_ = -1, B_ = -1, scratch_again_ = -1;
};

}  // namespace

Value embedding(Graph& g, std::string_view W) { return g.apply(std::make_unique<Embedding>(), {}, {W}); }

}  // namespace khost
