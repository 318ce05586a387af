// An oracle for the graph: the same tape of operations run forward in double, in plain loops, one value after the other. Written
// from the definitions alone; gradients come from it by central differences.
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "graph/program.hpp"
#include "khost/model.hpp"
#include "khost/random.hpp"

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
      : at_(at), B_(batch), T_(sequence), tokens_(tokens), targets_(targets) {}

  double loss = 0;

  std::int64_t batch() const override { return B_; }
  std::int64_t sequence() const override { return T_; }

  Value embedding(std::string_view name) override {
    const Doubles W = effective(name);
    const std::int64_t C = shape(name)[1];
    Doubles y;
    for (const std::int32_t t : tokens_) y.insert(y.end(), W.begin() + t * C, W.begin() + (t + 1) * C);
    return push(y, C);
  }
  Value add_positions(Value x, std::string_view name) override {
    const Doubles& P = at_.weights.at(std::string(name));
    Doubles y = values_[x.id];
    const std::int64_t C = cols_[x.id];
    for (std::int64_t r = 0; r < B_ * T_; ++r)
      for (std::int64_t c = 0; c < C; ++c) y[r * C + c] += P[r % T_ * C + c];
    return push(y, C);
  }
  Value linear(Value x, std::string_view name) override { return push(product(x, name), shape(name)[0]); }
  Value layer_norm(Value x, std::string_view weight, std::string_view bias, float eps) override {
    const Doubles &w = at_.weights.at(std::string(weight)), &b = at_.weights.at(std::string(bias));
    Doubles y = values_[x.id];
    const std::int64_t C = cols_[x.id];
    for (std::int64_t r = 0; r < B_ * T_; ++r) {
      double mean = 0, var = 0;
      for (std::int64_t c = 0; c < C; ++c) mean += y[r * C + c] / static_cast<double>(C);
      for (std::int64_t c = 0; c < C; ++c) var += std::pow(y[r * C + c] - mean, 2) / static_cast<double>(C);
      for (std::int64_t c = 0; c < C; ++c)
        y[r * C + c] = (y[r * C + c] - mean) / std::sqrt(var + static_cast<double>(eps)) * w[c] + b[c];
    }
    return push(y, C);
  }
  Value causal_attention(Value qkv, std::int64_t heads) override {
    const Doubles& x = values_[qkv.id];
    const std::int64_t C = cols_[qkv.id] / 3, w = C / heads;
    Doubles y(static_cast<std::size_t>(B_ * T_ * C), 0.0);
    for (std::int64_t b = 0; b < B_; ++b)
      for (std::int64_t h = 0; h < heads; ++h)
        for (std::int64_t t = 0; t < T_; ++t) {
          const auto at = [&](std::int64_t row, int part, std::int64_t c) {
            return x[(b * T_ + row) * 3 * C + part * C + h * w + c];
          };
          Doubles p;
          double total = 0;
          for (std::int64_t j = 0; j <= t; ++j) {
            double s = 0;
            for (std::int64_t c = 0; c < w; ++c) s += at(t, 0, c) * at(j, 1, c);
            p.push_back(std::exp(s / std::sqrt(static_cast<double>(w))));
            total += p.back();
          }
          for (std::int64_t j = 0; j <= t; ++j)
            for (std::int64_t c = 0; c < w; ++c) y[(b * T_ + t) * C + h * w + c] += p[j] / total * at(j, 2, c);
        }
    return push(y, C);
  }
  Value gelu(Value x) override {
    Doubles y = values_[x.id];
    for (double& v : y) v = v * 0.5 * (1 + std::erf(v / std::sqrt(2.0)));
    return push(y, cols_[x.id]);
  }
  Value add(Value a, Value b) override {
    Doubles y = values_[a.id];
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += values_[b.id][i];
    return push(y, cols_[a.id]);
  }
  void head_cross_entropy(Value h, std::string_view name) override {
    const Doubles logits = product(h, name);
    const std::int64_t V = shape(name)[0];
    for (std::int64_t r = 0; r < B_ * T_; ++r) {
      double total = 0;
      for (std::int64_t v = 0; v < V; ++v) total += std::exp(logits[r * V + v]);
      loss += (std::log(total) - logits[r * V + targets_[r]]) / static_cast<double>(B_ * T_);
    }
  }

 private:
  const Shape& shape(std::string_view name) const { return at_.shapes.at(std::string(name)); }
  Doubles effective(std::string_view view) const {  // W + U C V', C diagonal or not
    const std::string name(view);
    Doubles W = at_.weights.at(name);
    if (!at_.alpha.count(name)) return W;
    const Doubles &alpha = at_.alpha.at(name), &U = at_.U.at(name), &V = at_.V.at(name);
    const std::int64_t m = shape(view)[0], n = shape(view)[1], K = static_cast<std::int64_t>(U.size()) / m;
    const bool block = at_.blocks.count(name) > 0;
    const auto C = [&](std::int64_t k, std::int64_t l) { return block ? alpha[k * K + l] : k == l ? alpha[k] : 0.0; };
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t k = 0; k < K; ++k)
          for (std::int64_t l = block ? 0 : k; l < (block ? K : k + 1); ++l)
            W[i * n + j] += U[i * K + k] * C(k, l) * V[j * K + l];
    return W;
  }
  Doubles product(Value x, std::string_view name) const {  // x W'
    const Doubles W = effective(name);
    const std::int64_t m = shape(name)[0], n = shape(name)[1];
    Doubles y(static_cast<std::size_t>(B_ * T_ * m), 0.0);
    for (std::int64_t r = 0; r < B_ * T_; ++r)
      for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) y[r * m + i] += values_[x.id][r * n + j] * W[i * n + j];
    return y;
  }
  Value push(Doubles y, std::int64_t cols) {
    values_.push_back(std::move(y));
    cols_.push_back(cols);
    return {static_cast<int>(values_.size()) - 1};
  }

  const Point& at_;
  std::int64_t B_, T_;
  const std::vector<std::int32_t>&tokens_, &targets_;
  std::vector<Doubles> values_;
  std::vector<std::int64_t> cols_;
};

// A model with random values, adapters and a batch, for a Program and for the oracle alike.
struct Bench {
  struct Options {
    std::map<std::string, std::int64_t> ranks = {};  // adapted matrices
    bool weight_gradients = true;
    double sd = 0.3;  // large enough that every operation is well away from linear
    std::uint64_t seed = 1;
    Core core = Core::diagonal;
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
      const Shape core = options.core == Core::block ? Shape{K, K} : Shape{K};
      a.U = Tensor({m, K}), a.V = Tensor({n, K}), a.alpha = Tensor(core), a.grad = Tensor(core);
      random.normal(a.U.span(), 1 / std::sqrt(static_cast<double>(m)));
      random.normal(a.V.span(), 1 / std::sqrt(static_cast<double>(n)));
      random.normal(a.alpha.span(), 0.5);
      a.slot = {K, a.U.data(), a.V.data(), a.alpha.data(), a.grad.data(), options.core};
      if (options.core == Core::factors) {
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
      if (options.core == Core::block) at.blocks.insert(a.name);
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
      return slot.core == Core::factors ? std::vector{&grad, &U_grad, &V_grad} : std::vector{&grad};
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
