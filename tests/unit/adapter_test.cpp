// Adapters that are written in operations: every gradient against central differences in double, on a tied embedding, linear maps
// with and without a bias, and heads tied and untied; and what the host refuses.

#include "khost/adapter.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>

#include "check/adapted.hpp"
#include "graph/program.hpp"
#include "plugin/registry.hpp"

using namespace khost;
using khost::check::Point;
using khost::check::TestModel;
using khost::check::Variable;

namespace {

Registry& registry() {
  static Registry it({KHOST_BINARY_DIR "/plugins"});
  return it;
}

std::shared_ptr<Adapter> adapter(const std::string& name, const Json& config) {
  const Plugin& plugin = registry().get(Kind::adapter, name);
  return create<Adapter>(plugin, resolve_config(plugin, config));
}

constexpr std::int64_t V = 13, C = 6, K = 3;

struct Tokens {
  std::int64_t B = 2, T = 5;
};

TestModel model(bool tied) { return khost::check::host_model(tied, V); }

// A model, all of whose matrices carry the adapter, at random values of everything, and its program.
class Adapted {
 public:
  Adapted(const TestModel& of, const Adapter& with, bool weight_gradients, Tokens shape = {})
      : shape_(shape),
        values_(of, with, K, 0.5, random_),
        backend_("reference", registry().get(Kind::compute, "reference").descriptor->compute, "{}", 1),
        slots_(values_.slots()) {
    for (WeightSlot& slot : slots_)
      if (!weight_gradients && !slot.of_adapter) slot.grad = nullptr, slot.frozen = true;
    for (std::int64_t i = 0; i < shape.B * shape.T; ++i) {
      tokens_.push_back(static_cast<std::int32_t>(random_.below(V)));
      targets_.push_back(i % 7 == 6 ? ignored_target : static_cast<std::int32_t>(random_.below(V)));
    }
    program_ = std::make_unique<Program>(of, slots_, shape.B, shape.T, backend_);
  }

  double loss(Program::Gradients gradients) {
    const double value = program_->forward(tokens_, targets_, gradients);
    if (gradients != Program::Gradients::none) program_->backward();
    return value;
  }
  Point point() const { return values_.point(); }
  double oracle(const Point& at) const { return values_.loss(at, shape_.B, shape_.T, tokens_, targets_); }
  double merged_oracle() const { return values_.loss(values_.merged(), shape_.B, shape_.T, tokens_, targets_, false); }

  const std::deque<Variable>& variables() const { return values_.variables(); }
  const std::vector<WeightSlot>& slots() const { return slots_; }

 private:
  Random random_{1, "test", "values"};
  Tokens shape_;
  khost::check::Adapted values_;
  Backend backend_;
  std::vector<WeightSlot> slots_;
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
  // The last has its logits in three parts, of two sequences each.
  struct Setting {
    bool tied;
    Tokens shape;
  };
  for (const Case& kind : kinds())
    for (const auto& [tied, shape] : {Setting{true, {}}, {false, {}}, {true, {6, 100}}}) {
      CAPTURE(kind.name);
      CAPTURE(tied);
      CAPTURE(shape.B);
      const TestModel of = model(tied);
      Adapted adapted(of, *kind.adapter, true, shape);
      const Point at = adapted.point();
      CHECK(adapted.loss(Program::Gradients::alpha_and_weights) == doctest::Approx(adapted.oracle(at)).epsilon(1e-6));
      double worst = 0;
      for (const auto& [name, of_tensor, value, gradient] : adapted.variables()) {
        double difference = 0, size = 0;
        for (std::size_t k = 0; k < gradient.size(); ++k) {
          constexpr double step = 1e-5;
          Point moved = at;
          moved.weights[name][k] += step;
          const double above = adapted.oracle(moved);
          moved.weights[name][k] -= 2 * step;
          const double expected = (above - adapted.oracle(moved)) / (2 * step);
          difference += std::pow(static_cast<double>(gradient[k]) - expected, 2), size += expected * expected;
        }
        CAPTURE(name);
        CHECK(std::sqrt(difference) <= 5e-6 * std::sqrt(size) + 1e-9);
        worst = std::max(worst, std::sqrt(difference / size));
      }
      MESSAGE(kind.name << (tied ? ", tied" : ", untied") << ": worst gradient off by " << worst << " of its norm");
    }
}

TEST_CASE("a head whose adapter is written in operations holds logits of at most 256 tokens, or of one sequence") {
  const auto lora = adapter("lora", Json::object({{"alpha", 2.5}}));
  Random random(1, "test", "values");
  const TestModel large = khost::check::host_model(true, 5000);
  const khost::check::Adapted values(large, *lora, K, 0.5, random);
  const auto bytes = [&](std::int64_t batch, std::int64_t sequence) {
    return Program::bytes_of(large, values.slots(), batch, sequence);
  };
  const std::int64_t logits_of_256 = 256 * 5000 * 4;
  CHECK(bytes(2, 128) > logits_of_256);
  CHECK(bytes(16, 128) < bytes(2, 128) + logits_of_256 / 2);
  CHECK(bytes(7, 128) < bytes(2, 128));  // 7 is divided by 1 alone
  CHECK(bytes(2, 300) < bytes(1, 300) + logits_of_256 / 2);
}

TEST_CASE("a pass for adapters alone gives their gradients, the same, and none of the weights'") {
  for (const Case& kind : kinds()) {
    CAPTURE(kind.name);
    const TestModel of = model(true);
    Adapted whole(of, *kind.adapter, true), alone(of, *kind.adapter, false);
    whole.loss(Program::Gradients::alpha_and_weights);
    alone.loss(Program::Gradients::alpha);
    for (std::size_t i = 0; i < whole.variables().size(); ++i) {
      const Variable &a = whole.variables()[i], &b = alone.variables()[i];
      CAPTURE(a.name);
      for (std::size_t k = 0; k < a.gradient.size(); ++k)
        CHECK(b.gradient[k] == (alone.slots()[i].of_adapter ? a.gradient[k] : 0.0f));
    }
  }
}

TEST_CASE("dora's norms are constants unless they are exact: only what passes through them differs") {
  const TestModel of = model(true);
  const auto constant = adapter("dora", Json::object({{"alpha", 2.5}})),
             exact = adapter("dora", Json::object({{"alpha", 2.5}, {"norm", "exact"}}));
  Adapted one(of, *constant, false), other(of, *exact, false);
  CHECK(one.loss(Program::Gradients::alpha) == other.loss(Program::Gradients::alpha));
  for (std::size_t i = 0; i < one.variables().size(); ++i) {
    const Variable &a = one.variables()[i], &b = other.variables()[i];
    if (!one.slots()[i].of_adapter) continue;
    CAPTURE(a.name);
    CHECK((a.gradient == b.gradient) == a.name.ends_with("magnitude"));
  }
}

TEST_CASE("dW is what the graph adds: W + dW in W's place gives the loss of the adapter") {
  for (const Case& kind : kinds()) {
    CAPTURE(kind.name);
    const TestModel of = model(true);
    const Adapted adapted(of, *kind.adapter, false);
    // The graph scales by a float.
    CHECK(adapted.merged_oracle() == doctest::Approx(adapted.oracle(adapted.point())).epsilon(1e-7));
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
