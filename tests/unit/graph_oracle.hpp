// An oracle for the graph: the same tape of operations run forward in double, one value after the other, by what each operation
// says of itself in plain loops (Op::in_double); gradients come from it by central differences.
#pragma once

#include <cmath>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "graph/op.hpp"
#include "khost/model.hpp"
#include "khost/random.hpp"
#include "unit/plugins.hpp"

namespace khost::test {

using Doubles = std::vector<double>;

// A model made of a list of parameters and a function.
class TestModel : public Model {
 public:
  TestModel(std::vector<Parameter> parameters, std::function<void(Graph&)> forward)
      : parameters_(std::move(parameters)), forward_(std::move(forward)) {}
  std::vector<Parameter> parameters() const override { return parameters_; }
  void forward(Graph& g) const override { forward_(g); }

 private:
  std::vector<Parameter> parameters_;
  std::function<void(Graph&)> forward_;
};

// All that a loss depends on, in double.
struct Point {
  std::map<std::string, Doubles> weights, alpha, U, V;  // alpha [K], or C [K, K] of a block
  std::map<std::string, Shape> shapes;
  std::set<std::string> blocks;  // adapters whose core is a block
};

class OracleGraph final : public Graph {
 public:
  OracleGraph(const Point& at, std::int64_t batch, std::int64_t sequence, const std::vector<std::int32_t>& tokens,
              const std::vector<std::int32_t>& targets)
      : B_(batch), T_(sequence), tokens_(tokens), targets_(targets) {
    for (const auto& [name, shape] : at.shapes) {
      weights_[name].slot.parameter = {name, shape};
      effective_[name] = effective(at, name);
    }
  }

  double loss = 0;

  std::int64_t columns(Value x) const { return columns_[static_cast<std::size_t>(x.id)]; }
  std::int64_t batch() const override { return B_; }
  std::int64_t sequence() const override { return T_; }

  // Before the model's forward(): an adapter that is written in operations, whose tensors are among the weights.
  void adapt(const std::string& name, const Adapter& with, std::int64_t K) { written_[name] = {&with, K}; }

  void expose(std::string_view, Value) override {}
  Value append(std::unique_ptr<Op> op, std::span<const Value> inputs, std::span<const std::string_view> parameters) override {
    if (op->adapts() && !within_adapter_)
      if (const auto found = written_.find(std::string(parameters[0])); found != written_.end()) {
        const Shape& shape = weights_.at(found->first).slot.parameter.shape;
        within_adapter_ = true;
        const Value made = op->adapted(*this, inputs, parameters, *found->second.first,
                                       {found->first, shape[0], shape[1], found->second.second});
        within_adapter_ = false;
        return made;
      }
    Placed placed;
    placed.name = op->name();
    Doubles out;
    OpDoubles d{B_, T_, tokens_, targets_, {}, {}, {}, {}, out, loss};
    for (const Value x : inputs) {
      placed.inputs.push_back(x.id);
      d.in.push_back(&values_[static_cast<std::size_t>(x.id)]);
      d.columns.push_back(columns_[static_cast<std::size_t>(x.id)]);
    }
    for (const std::string_view name : parameters) {
      Weight& w = weights_.at(std::string(name));
      placed.weights.push_back(&w);
      d.weights.push_back(&effective_.at(std::string(name)));
      d.shapes.push_back(w.slot.parameter.shape);
    }
    const std::int64_t columns = op->columns(OpShapes(placed, B_, T_, columns_));
    if (!op->ends()) out.resize(static_cast<std::size_t>(B_ * T_ * columns));
    op->in_double(d);
    if (op->ends()) return {};
    values_.push_back(std::move(out));
    columns_.push_back(columns);
    return {static_cast<int>(values_.size()) - 1};
  }

 private:
  static Doubles effective(const Point& at, const std::string& name) {  // W + U C V', C diagonal or not
    Doubles W = at.weights.at(name);
    if (!at.alpha.count(name)) return W;
    const Doubles &alpha = at.alpha.at(name), &U = at.U.at(name), &V = at.V.at(name);
    const std::int64_t m = at.shapes.at(name)[0], n = at.shapes.at(name)[1], K = static_cast<std::int64_t>(U.size()) / m;
    const bool block = at.blocks.count(name) > 0;
    const auto C = [&](std::int64_t k, std::int64_t l) { return block ? alpha[k * K + l] : k == l ? alpha[k] : 0.0; };
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t k = 0; k < K; ++k)
          for (std::int64_t l = block ? 0 : k; l < (block ? K : k + 1); ++l)
            W[i * n + j] += U[i * K + k] * C(k, l) * V[j * K + l];
    return W;
  }

  std::int64_t B_, T_;
  const std::vector<std::int32_t>&tokens_, &targets_;
  std::map<std::string, std::pair<const Adapter*, std::int64_t>> written_;  // with K
  bool within_adapter_ = false;
  std::map<std::string, Weight> weights_;
  std::map<std::string, Doubles> effective_;
  std::deque<Doubles> values_;
  std::vector<std::int64_t> columns_;
};

// A model with random values, adapters and a batch, for a Program and for the oracle alike.
struct Bench {
  struct Options {
    std::map<std::string, std::int64_t> ranks = {};  // adapted matrices
    bool weight_gradients = true;
    double sd = 0.3;  // large enough that every operation is well away from linear
    std::uint64_t seed = 1;
    std::string core = "diagonal";
  };

  Bench(const Model& of, std::int64_t batch, std::int64_t sequence, std::int64_t vocabulary, Options with)
      : model(of), B(batch), T(sequence), options(std::move(with)) {
    Random random(options.seed, "test", "values");
    for (const Parameter& p : model.parameters()) {
      values.emplace_back(p.shape);
      random.normal(values.back().span(), options.sd);
      if (p.init == Init::ones)
        for (float& v : values.back().span()) v += 1;
      grads.emplace_back(p.shape);
      slots.push_back({p, values.back().data(), options.weight_gradients ? grads.back().data() : nullptr, nullptr, true});
    }
    adapters.reserve(slots.size());
    for (WeightSlot& slot : slots) {
      const auto rank = options.ranks.find(slot.parameter.name);
      if (rank == options.ranks.end()) continue;
      const std::int64_t K = rank->second, m = slot.parameter.shape[0], n = slot.parameter.shape[1];
      Adapter& a = adapters.emplace_back();
      a.name = slot.parameter.name;
      const Core* core = test::core(options.core);
      const Shape alpha = core->alpha(K);
      a.U = Tensor({m, K}), a.V = Tensor({n, K}), a.alpha = Tensor(alpha), a.grad = Tensor(alpha);
      random.normal(a.U.span(), 1 / std::sqrt(static_cast<double>(m)));
      random.normal(a.V.span(), 1 / std::sqrt(static_cast<double>(n)));
      random.normal(a.alpha.span(), 0.5);
      a.slot = {K, a.U.data(), a.V.data(), a.alpha.data(), a.grad.data(), core};
      if (core->trains_factors()) {
        a.U_grad = Tensor({m, K}), a.V_grad = Tensor({n, K});
        a.slot.U_grad = a.U_grad.data(), a.slot.V_grad = a.V_grad.data();
      }
      slot.adapter = &a.slot;
    }
    for (std::int64_t i = 0; i < B * T; ++i) {
      tokens.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary))));
      targets.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary))));
    }
  }
  Bench(const Bench&) = delete;

  Point point() const {
    Point at;
    const auto wide = [](const Tensor& t) { return Doubles(t.span().begin(), t.span().end()); };
    for (std::size_t i = 0; i < slots.size(); ++i) {
      at.weights[slots[i].parameter.name] = wide(values[i]);
      at.shapes[slots[i].parameter.name] = slots[i].parameter.shape;
    }
    for (const Adapter& a : adapters) {
      at.U[a.name] = wide(a.U), at.V[a.name] = wide(a.V), at.alpha[a.name] = wide(a.alpha);
      if (options.core == "block") at.blocks.insert(a.name);
    }
    return at;
  }
  double oracle_loss(const Point& at) const {
    OracleGraph graph(at, B, T, tokens, targets);
    model.forward(graph);
    return graph.loss;
  }

  struct Adapter {
    std::string name;
    Tensor U, V, alpha, grad, U_grad, V_grad;  // the last two for factors
    AdapterSlot slot;
    std::vector<Tensor*> gradients() {
      return slot.core->trains_factors() ? std::vector{&grad, &U_grad, &V_grad} : std::vector{&grad};
    }
  };
  const Model& model;
  std::int64_t B, T;
  Options options;
  std::vector<Tensor> values, grads;
  std::vector<Adapter> adapters;
  std::vector<WeightSlot> slots;
  std::vector<std::int32_t> tokens, targets;
  std::map<std::pair<std::string, std::size_t>, double> quotients;  // of the oracle's loss, by tensor and entry
};

}  // namespace khost::test
