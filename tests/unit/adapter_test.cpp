// Adapters that are written in operations: every gradient against central differences in double, on a tied embedding, linear maps
// with and without a bias, and heads tied and untied; and what the host refuses.

#include "khost/adapter.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>

#include "graph/program.hpp"
#include "graph_oracle.hpp"
#include "plugin/registry.hpp"

using namespace khost;
using khost::test::Doubles;
using khost::test::OracleGraph;
using khost::test::Point;
using khost::test::TestModel;

namespace {

Registry& registry() {
  static Registry it({KHOST_BINARY_DIR "/plugins"});
  return it;
}

std::shared_ptr<Adapter> adapter(const std::string& name, const Json& config) {
  const Plugin& plugin = registry().get(Kind::adapter, name);
  return create<Adapter>(plugin, resolve_config(plugin, config));
}

constexpr std::int64_t V = 13, C = 6, B = 2, T = 5, K = 3;

TestModel model(bool tied) {
  std::vector<Parameter> parameters{{"tok_emb", {V, C}, Init::normal, 0.3, true},
                                    {"up", {8, C}, Init::normal, 0.3, true},
                                    {"up.bias", {8}, Init::normal, 0.3},
                                    {"down", {C, 8}, Init::normal, 0.3, true}};
  if (!tied) parameters.push_back({"head", {V, C}, Init::normal, 0.3, true});
  return TestModel(parameters, [tied](Graph& g) {
    const Value x = embedding(g, "tok_emb");
    const Value y = add(g, x, linear(g, gelu(g, linear(g, x, "up", "up.bias")), "down"));
    head_cross_entropy(g, y, tied ? "tok_emb" : "head");
  });
}

// A model, all of whose matrices carry the adapter, at random values of everything.
class Adapted {
 public:
  Adapted(const TestModel& of, const Adapter& with, bool weight_gradients)
      : model_(of),
        adapter_(with),
        backend_("reference", registry().get(Kind::compute, "reference").descriptor->compute, "{}", 1) {
    for (const Parameter& p : model_.parameters()) {
      WeightSlot& slot = add(p, weight_gradients);
      if (p.adaptable) slot.written = &adapter_, slot.written_rank = K;
    }
    for (const Parameter& p : model_.parameters()) {
      if (!p.adaptable) continue;
      AdapterTensors t;
      adapter_.tensors(t, {p.name, p.shape[0], p.shape[1], K});
      for (const AdapterTensors::Tensor& tensor : t.all())
        add({p.name + "/" + tensor.name, tensor.shape, Init::normal, 0.5}, true).of_adapter = true;
    }
    for (std::int64_t i = 0; i < B * T; ++i) {
      tokens_.push_back(static_cast<std::int32_t>(random_.below(V)));
      targets_.push_back(static_cast<std::int32_t>(random_.below(V)));
    }
    program_ = std::make_unique<Program>(model_, slots(), B, T, backend_);
  }

  double loss(Program::Gradients gradients) {
    const double value = program_->forward(tokens_, targets_, gradients);
    if (gradients != Program::Gradients::none) program_->backward();
    return value;
  }
  Point point() const {
    Point at;
    for (const Held& h : held_) {
      at.weights[h.slot.parameter.name] = Doubles(h.value.span().begin(), h.value.span().end());
      at.shapes[h.slot.parameter.name] = h.slot.parameter.shape;
    }
    return at;
  }
  double oracle(const Point& at) const {
    OracleGraph graph(at, B, T, tokens_, targets_);
    for (const Held& h : held_)
      if (h.slot.written) graph.adapt(h.slot.parameter.name, adapter_, K);
    model_.forward(graph);
    return graph.loss;
  }

  struct Held {
    Tensor value, gradient;
    WeightSlot slot;
  };
  const std::deque<Held>& held() const { return held_; }
  const std::vector<std::int32_t>& tokens() const { return tokens_; }
  const std::vector<std::int32_t>& targets() const { return targets_; }

 private:
  WeightSlot& add(const Parameter& p, bool gradient) {
    Held& h = held_.emplace_back();
    h.value = Tensor(p.shape), h.gradient = Tensor(p.shape);
    random_.normal(h.value.span(), p.sd);
    h.slot.parameter = p;
    h.slot.value = h.value.data();
    h.slot.grad = gradient ? h.gradient.data() : nullptr;
    h.slot.frozen = !gradient;
    return h.slot;
  }
  std::vector<WeightSlot> slots() const {
    std::vector<WeightSlot> all;
    for (const Held& h : held_) all.push_back(h.slot);
    return all;
  }

  const TestModel& model_;
  const Adapter& adapter_;
  Backend backend_;
  Random random_{1, "test", "values"};
  std::deque<Held> held_;
  std::vector<std::int32_t> tokens_, targets_;
  std::unique_ptr<Program> program_;
};

struct Case {
  std::string name;
  std::shared_ptr<Adapter> adapter;
};
std::vector<Case> kinds() {
  return {{"lora", adapter("lora", Json::object({{"alpha", 2.5}}))},
          {"rslora", adapter("lora", Json::object({{"alpha", 2.5}, {"scaling", "rslora"}}))},
          {"dora", adapter("dora", Json::object({{"alpha", 2.5}, {"norm", "exact"}}))}};
}

}  // namespace

TEST_CASE("adapters written in operations: the loss and every gradient agree with the oracle in double") {
  for (const Case& kind : kinds())
    for (const bool tied : {true, false}) {
      CAPTURE(kind.name);
      CAPTURE(tied);
      const TestModel of = model(tied);
      Adapted adapted(of, *kind.adapter, true);
      const Point at = adapted.point();
      CHECK(adapted.loss(Program::Gradients::alpha_and_weights) == doctest::Approx(adapted.oracle(at)).epsilon(1e-6));
      double worst = 0;
      for (const Adapted::Held& h : adapted.held()) {
        const std::string& name = h.slot.parameter.name;
        double difference = 0, size = 0;
        for (std::size_t k = 0; k < h.gradient.span().size(); ++k) {
          constexpr double step = 1e-5;
          Point moved = at;
          moved.weights[name][k] += step;
          const double above = adapted.oracle(moved);
          moved.weights[name][k] -= 2 * step;
          const double expected = (above - adapted.oracle(moved)) / (2 * step);
          difference += std::pow(static_cast<double>(h.gradient.span()[k]) - expected, 2), size += expected * expected;
        }
        CAPTURE(name);
        CHECK(std::sqrt(difference) <= 5e-6 * std::sqrt(size) + 1e-9);
        worst = std::max(worst, std::sqrt(difference / size));
      }
      MESSAGE(kind.name << (tied ? ", tied" : ", untied") << ": worst gradient off by " << worst << " of its norm");
    }
}

TEST_CASE("a pass for adapters alone gives their gradients, the same, and none of the weights'") {
  for (const Case& kind : kinds()) {
    CAPTURE(kind.name);
    const TestModel of = model(true);
    Adapted whole(of, *kind.adapter, true), alone(of, *kind.adapter, false);
    whole.loss(Program::Gradients::alpha_and_weights);
    alone.loss(Program::Gradients::alpha);
    for (std::size_t i = 0; i < whole.held().size(); ++i) {
      const Adapted::Held &a = whole.held()[i], &b = alone.held()[i];
      CAPTURE(a.slot.parameter.name);
      for (std::size_t k = 0; k < a.gradient.span().size(); ++k)
        CHECK(b.gradient.span()[k] == (b.slot.of_adapter ? a.gradient.span()[k] : 0.0f));
    }
  }
}

TEST_CASE("dora's norms are constants unless they are exact: only what passes through them differs") {
  const TestModel of = model(true);
  const auto constant = adapter("dora", Json::object({{"alpha", 2.5}})),
             exact = adapter("dora", Json::object({{"alpha", 2.5}, {"norm", "exact"}}));
  Adapted one(of, *constant, false), other(of, *exact, false);
  CHECK(one.loss(Program::Gradients::alpha) == other.loss(Program::Gradients::alpha));
  for (std::size_t i = 0; i < one.held().size(); ++i) {
    const Adapted::Held &a = one.held()[i], &b = other.held()[i];
    if (!a.slot.of_adapter) continue;
    CAPTURE(a.slot.parameter.name);
    const bool magnitude = a.slot.parameter.name.ends_with("magnitude");
    CHECK(std::ranges::equal(a.gradient.span(), b.gradient.span()) == magnitude);
  }
}

TEST_CASE("dW is what the graph adds: W + dW in W's place gives the loss of the adapter") {
  for (const Case& kind : kinds()) {
    CAPTURE(kind.name);
    const TestModel of = model(true);
    Adapted adapted(of, *kind.adapter, false);
    Point merged = adapted.point();
    for (const Adapted::Held& h : adapted.held()) {
      if (!h.slot.written) continue;
      const Parameter& p = h.slot.parameter;
      const AdaptedTo own{p.name, p.shape[0], p.shape[1], K};
      AdapterTensors t;
      kind.adapter->tensors(t, own);
      std::vector<std::span<const float>> values;
      for (const AdapterTensors::Tensor& tensor : t.all())
        for (const Adapted::Held& other : adapted.held())
          if (other.slot.parameter.name == own[tensor.name]) values.push_back(other.value.span());
      std::vector<double> dW(static_cast<std::size_t>(element_count(p.shape)));
      kind.adapter->difference(values, h.value.span(), own, dW);
      for (std::size_t k = 0; k < dW.size(); ++k) merged.weights[p.name][k] += dW[k];
    }
    OracleGraph graph(merged, B, T, adapted.tokens(), adapted.targets());
    of.forward(graph);
    CHECK(graph.loss == doctest::Approx(adapted.oracle(adapted.point())).epsilon(1e-7));  // the graph scales by a float
  }
}

TEST_CASE("an adapter's tensors have names and shapes, each once") {
  AdapterTensors t;
  CHECK_THROWS_WITH_AS(t.train("a/b", {2}), doctest::Contains("'a/b'"), Error);
  CHECK_THROWS_WITH_AS(t.train("", {2}), doctest::Contains("''"), Error);
  CHECK_THROWS_WITH_AS(t.train("A", {2, 0}), doctest::Contains("empty"), Error);
  t.train("A", {2});
  CHECK_THROWS_WITH_AS(t.train("A", {3}), doctest::Contains("two tensors called 'A'"), Error);
}

TEST_CASE("what an adapter gives back is looked at, and its matrix is used with it or not at all") {
  struct Wrong final : Adapter {
    void tensors(AdapterTensors& t, const AdaptedTo& W) const override { t.train("A", {2 * W.m, W.m}); }
    Value linear(Graph& g, Value, Value y, const AdaptedTo& own) const override { return khost::linear(g, y, own["A"]); }
    Value lookup(Graph&, Value, const AdaptedTo&) const override { return {}; }
    void difference(std::span<const std::span<const float>>, std::span<const float>, const AdaptedTo&,
                    std::span<double>) const override {}
  };
  const Wrong wrong;
  const auto refused = [&](const char* expected, bool first, std::function<void(Graph&)> forward) {
    const TestModel of({{"tok_emb", {V, C}, Init::normal, 0.3, !first}, {"W", {C, C}, Init::normal, 0.3, first}},
                       std::move(forward));
    CHECK_THROWS_WITH_AS(Adapted(of, wrong, false), doctest::Contains(expected), Error);
  };
  refused("lookup() of the adapter of tok_emb: what it gives back is no value", false,
          [](Graph& g) { head_cross_entropy(g, linear(g, embedding(g, "tok_emb"), "W"), "tok_emb"); });
  refused("linear() of the adapter of W: it gives back 12 columns, expected 6", true,
          [](Graph& g) { head_cross_entropy(g, linear(g, embedding(g, "tok_emb"), "W"), "tok_emb"); });
  refused("'W' [6, 6] carries an adapter", true,
          [](Graph& g) { head_cross_entropy(g, matmul(g, embedding(g, "tok_emb"), "W"), "tok_emb"); });
}

TEST_CASE("an adapter that leaves a tensor unused is refused, by the tensor's name") {
  struct Forgetful final : Adapter {
    void tensors(AdapterTensors& t, const AdaptedTo& W) const override { t.train("A", {W.K}); }
    Value linear(Graph&, Value, Value y, const AdaptedTo&) const override { return y; }
    Value lookup(Graph&, Value e, const AdaptedTo&) const override { return e; }
    void difference(std::span<const std::span<const float>>, std::span<const float>, const AdaptedTo&,
                    std::span<double>) const override {}
  };
  const Forgetful forgetful;
  const TestModel of = model(true);
  CHECK_THROWS_WITH_AS(Adapted(of, forgetful, false), doctest::Contains("never uses the parameter 'tok_emb/A'"), Error);
}
