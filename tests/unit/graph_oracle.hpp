// A model with random values, adapters and a batch, for a Program and for the oracle of the graph (check/oracle_graph.hpp) alike.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "check/oracle_graph.hpp"
#include "khost/random.hpp"
#include "unit/plugins.hpp"

namespace khost::test {

using check::Doubles;
using check::OracleGraph;
using check::Point;
using check::TestModel;

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
