// A small model, all of whose matrices carry an adapter: what gradients and differences of adapters are measured on.
#pragma once

#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "check/oracle_graph.hpp"
#include "graph/program.hpp"
#include "khost/adapter.hpp"
#include "khost/random.hpp"
#include "khost/tensor.hpp"

namespace khost::check {

// A tensor that the loss depends on: as the program holds it, and where the program writes its gradient.
struct Variable {
  std::string name;
  Shape shape;
  std::vector<float> value, gradient;
};

inline Variable variable(const std::string& name, const Shape& shape, double sd, double mean, Random& random) {
  const auto size = static_cast<std::size_t>(element_count(shape));
  Variable v{name, shape, std::vector<float>(size), std::vector<float>(size)};
  random.normal(v.value, sd);
  for (float& x : v.value) x += static_cast<float>(mean);
  return v;
}

// Far enough from zero that no operation is nearly linear, and no larger than keeps activations of order 1.
inline Variable variable(const Parameter& p, Random& random) {
  const double sd = p.shape.size() == 2 ? 1 / std::sqrt(static_cast<double>(p.shape[1])) : 0.3;
  return variable(p.name, p.shape, sd, p.init == Init::ones ? 1 : 0, random);
}

// Where an adapter can stand: an embedding and a head, tied or not, and linear maps with and without a bias.
inline TestModel host_model(bool tied, std::int64_t vocabulary) {
  std::vector<Parameter> parameters{{"tok_emb", {vocabulary, 6}, Init::normal, 0.3, true},
                                    {"up", {8, 6}, Init::normal, 0.3, true},
                                    {"up.bias", {8}, Init::normal, 0.3},
                                    {"down", {6, 8}, Init::normal, 0.3, true}};
  if (!tied) parameters.push_back({"head", {vocabulary, 6}, Init::normal, 0.3, true});
  return TestModel(parameters, [tied](Graph& g) {
    const Value x = embedding(g, "tok_emb");
    const Value y = add(g, x, linear(g, gelu(g, linear(g, x, "up", "up.bias")), "down"));
    head_cross_entropy(g, y, tied ? "tok_emb" : "head");
  });
}

// The tensors of a model and of the adapter of each of its adaptable matrices, at random values. The adapter's own: with that
// standard deviation, or with 0 as they are before any update (from its start, else 0). The model and the adapter outlive it.
class Adapted {
 public:
  Adapted(const TestModel& model, const Adapter& adapter, std::int64_t K, double sd, Random& random)
      : model_(model), adapter_(adapter), K_(K) {
    for (const Parameter& p : model.parameters()) {
      WeightSlot& slot = add(p, variable(p, random));
      if (p.adaptable) slot.written = &adapter, slot.written_rank = K;
    }
    for (const Parameter& p : model.parameters()) {
      if (!p.adaptable) continue;
      AdapterTensors made;
      adapter.tensors(made, {p.name, p.shape[0], p.shape[1], K});
      for (const AdapterTensors::Tensor& t : made.all()) {
        Variable v = variable(p.name + "/" + t.name, t.shape, sd, 0, random);
        if (sd == 0 && t.start) t.start(v.value, (*this)[p.name].value, random);
        tensors_[p.name].push_back(v.name);
        const Parameter own{v.name, t.shape};
        add(own, std::move(v)).of_adapter = true;
      }
    }
  }

  Adapted(const Adapted&) = delete;  // the slots point into it

  // In one order: a slot holds the value and the gradient of its variable.
  const std::deque<Variable>& variables() const { return variables_; }
  const std::vector<WeightSlot>& slots() const { return slots_; }
  const Variable& operator[](const std::string& name) const { return variables_[index_.at(name)]; }

  Point point() const {
    Point at;
    for (const Variable& v : variables_)
      at.weights[v.name] = Doubles(v.value.begin(), v.value.end()), at.shapes[v.name] = v.shape;
    return at;
  }
  // With W + dW of difference() in W's place.
  Point merged() const {
    Point at = point();
    for (const auto& [matrix, names] : tensors_) {
      std::vector<std::span<const float>> values;
      for (const std::string& name : names) values.emplace_back((*this)[name].value);
      const Variable& W = (*this)[matrix];
      Doubles dW(W.value.size(), 0.0);
      adapter_.difference(values, W.value, {matrix, W.shape[0], W.shape[1], K_}, dW);
      for (std::size_t i = 0; i < dW.size(); ++i) at.weights[matrix][i] += dW[i];
    }
    return at;
  }

  // In double: with the adapter as linear() and lookup() have it, or without.
  double loss(const Point& at, std::int64_t B, std::int64_t T, const std::vector<std::int32_t>& tokens,
              const std::vector<std::int32_t>& targets, bool with_adapter = true) const {
    OracleGraph graph(at, B, T, tokens, targets);
    if (with_adapter)
      for (const auto& [matrix, names] : tensors_) graph.adapt(matrix, adapter_, K_);
    model_.forward(graph);
    return graph.loss;
  }

 private:
  WeightSlot& add(const Parameter& p, Variable v) {
    index_[p.name] = variables_.size();
    Variable& held = variables_.emplace_back(std::move(v));
    return slots_.emplace_back(WeightSlot{p, held.value.data(), held.gradient.data(), nullptr, false});
  }

  const TestModel& model_;
  const Adapter& adapter_;
  std::int64_t K_;
  std::deque<Variable> variables_;
  std::vector<WeightSlot> slots_;
  std::map<std::string, std::size_t> index_;
  std::map<std::string, std::vector<std::string>> tensors_;  // of a matrix, in the order of tensors()
};

}  // namespace khost::check
