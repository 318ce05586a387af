#include "check/exercise.hpp"

#include "check/oracle_graph.hpp"
#include "compute/backend.hpp"

namespace khost::check {

namespace {

using After = std::function<void(const std::string& call)>;

std::size_t size_of(const Shape& shape) { return static_cast<std::size_t>(element_count(shape)); }

void add(Point& to, const std::string& name, const Shape& shape) {
  to.weights[name] = Doubles(size_of(shape), 0.1);
  to.shapes[name] = shape;
}

const std::vector<std::int32_t> tokens{1, 0, 2, 1};  // of two sequences of two

void call_model(const Model& model, const After& after) {
  Point at;
  for (const Parameter& p : model.parameters()) add(at, p.name, p.shape);
  after("parameters()");
  OracleGraph graph(at, 2, 2, tokens, tokens);
  model.forward(graph);
  after("forward()");
}

void call_adapter(const Adapter& adapter, const After& after) {
  constexpr std::int64_t K = 2;
  const TestModel model({{"tok_emb", {5, 4}}, {"W", {4, 4}}}, [](Graph& g) {
    const Value x = embedding(g, "tok_emb");
    head_cross_entropy(g, add(g, x, linear(g, x, "W")), "tok_emb");
  });
  Point at;
  for (const Parameter& p : model.parameters()) {
    add(at, p.name, p.shape);
    AdapterTensors made;
    const AdaptedTo own{p.name, p.shape[0], p.shape[1], K};
    adapter.tensors(made, own);
    after("tensors()");
    std::vector<std::vector<float>> values;
    for (const AdapterTensors::Tensor& t : made.all()) {
      add(at, own[t.name], t.shape);
      values.emplace_back(size_of(t.shape), 0.1f);
    }
    const std::vector<float> W(size_of(p.shape), 0.1f);
    Doubles dW(W.size(), 0.0);
    adapter.difference(std::vector<std::span<const float>>(values.begin(), values.end()), W, own, dW);
    after("difference()");
  }
  OracleGraph graph(at, 2, 2, tokens, tokens);
  for (const Parameter& p : model.parameters()) graph.adapt(p.name, adapter, K);
  model.forward(graph);
  after("linear() or lookup()");
}

void call_core(const Core& core, const After& after) {
  constexpr std::int64_t rows = 2, K = 3;
  Backend portable("portable", nullptr, "{}", 1);
  const std::size_t size = size_of(core.alpha(K));
  for (std::size_t i = 0; i < size; ++i) core.entry(K, static_cast<std::int64_t>(i));
  after("alpha() or entry()");
  const std::vector<float> alpha(size, 0.5f), p(rows * K, 0.25f);
  std::vector<float> out(rows * K), gradient(size);
  std::vector<double> sums(static_cast<std::size_t>(core.sums(K)));
  const CoreStep step{portable, rows, K, alpha.data()};
  core.towards_V(step, p.data(), out.data());
  after("towards_V()");
  core.towards_U(step, p.data(), out.data());
  after("towards_U()");
  core.gradient(step, p.data(), p.data(), {gradient.data(), sums.data(), false});
  after("gradient()");
}

void call_optimizer(const Optimizer& rule, const After& after) {
  constexpr std::size_t size = 6, spare = 64;  // around what may be written: who writes elsewhere fails the test about that
  const std::int64_t shape[] = {2, 3};
  std::vector<float> value(size + 2 * spare, 0.5f), state(size * static_cast<std::size_t>(rule.slots()) + 2 * spare, 0.0f);
  std::vector<float> gradient(size, 0.1f);
  after("slots()");
  rule.update({.parameter = "W/alpha",
               .step = 1,
               .decays = true,
               .value = std::span(value).subspan(spare, size),
               .gradient = gradient,
               .state = std::span(state).subspan(spare, state.size() - 2 * spare),
               .shape = shape,
               .training_step = 1,
               .training_steps = 10});
  after("update()");
}

void call_data(const Data& data, std::uint64_t seed, const After& after) {
  data.vocabulary();
  data.identity();
  const bool enough = data.tokens(Part::train) >= 4;
  after("vocabulary(), identity() or tokens()");
  if (!enough) return;
  std::vector<std::int32_t> out(8);
  Random random(seed, "check", "exercise");
  data.windows(Part::train, 2, 4, random, out);
  after("windows()");
}

}  // namespace

void exercise(const Subject& of, void* instance, const After& after) {
  switch (of.plugin.kind()) {
    case Kind::model:
      return call_model(*static_cast<Model*>(instance), after);
    case Kind::adapter:
      return call_adapter(*static_cast<Adapter*>(instance), after);
    case Kind::core:
      return call_core(*static_cast<Core*>(instance), after);
    case Kind::optimizer:
      return call_optimizer(*static_cast<Optimizer*>(instance), after);
    case Kind::data:
      return call_data(*static_cast<Data*>(instance), of.seed, after);
    case Kind::compute:
    case Kind::probe:
      return;
  }
}

}  // namespace khost::check
