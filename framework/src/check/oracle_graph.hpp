// An oracle for the graph: the same tape of operations run forward in double, one value after the other, by what each operation
// says of itself in plain loops (Op::in_double); gradients come from it by central differences.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph/op.hpp"
#include "khost/adapter.hpp"
#include "khost/model.hpp"

namespace khost::check {

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

}  // namespace khost::check
