// Where a program lets two values or gradients lie in one buffer, it computes what it does with a buffer for each.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "compute/backend.hpp"
#include "graph_oracle.hpp"
#include "khost/graph.hpp"
#include "plugins.hpp"

using namespace khost;
using namespace khost::test;

namespace {

// A graph drawn at random, of operations that lie in an input's place and of such as need theirs kept; it exposes the values that
// `exposes` names.
void random_graph(Graph& g, std::uint64_t seed, const std::function<bool(int)>& exposes) {
  Random random(seed, "test", "graph");
  std::vector<Value> values{embedding(g, "E")};
  std::vector<char> read{0};
  const auto use = [&](std::size_t i) { return read[i] = 1, values[i]; };
  const auto any = [&] {
    const std::size_t recent = std::min<std::size_t>(values.size(), 1 + random.below(6));
    return use(values.size() - 1 - random.below(recent));
  };
  const auto made = [&](Value v) {
    if (exposes(v.id)) g.expose("v" + std::to_string(v.id), v);
    values.push_back(v), read.push_back(0);
  };
  for (const char* W : {"W1", "W2"}) made(linear(g, any(), W));
  for (int i = 0; i < 14; ++i) {
    const std::uint64_t kind = random.below(10);
    if (kind < 6)
      made(add(g, any(), any()));
    else if (kind == 6)
      made(linear(g, any(), random.below(2) ? "W1" : "W2"));
    else if (kind == 7)
      made(multiply(g, any(), any()));
    else
      made(gelu(g, any()));
  }
  for (std::size_t i = 0; i + 1 < values.size(); ++i)  // each is to be read
    if (!read[i]) made(add(g, use(i), use(values.size() - 1)));
  if (random.below(2))
    head_cross_entropy(g, values.back(), "H");
  else
    cross_entropy(g, linear(g, values.back(), "H"));
}

}  // namespace

// All that is exposed has a buffer of its own for the whole pass, so nothing shares one there.
TEST_CASE("graph: what shares a buffer and what has its own compute the same, to the last bit") {
  const std::vector<Parameter> parameters{{"E", {11, 6}}, {"W1", {6, 6}}, {"W2", {6, 6}}, {"H", {11, 6}}};
  Backend backend("reference", compute_table("reference"), "{}", 1);
  std::int64_t bytes_apart = 0, bytes_shared = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    const auto model = [&](std::function<bool(int)> exposes) {
      return TestModel(parameters, [seed, exposes](Graph& g) { random_graph(g, seed, exposes); });
    };
    const TestModel all = model([](int) { return true; }), some = model([](int id) { return id % 3 == 0; }),
                    none = model([](int) { return false; });
    Bench bench(all, 1, 4, 11, {.ranks = {{"W1", 2}}});
    Program apart(all, bench.slots, 1, 4, backend, {true, true}), mixed(some, bench.slots, 1, 4, backend, {true, true}),
        shared(none, bench.slots, 1, 4, backend);
    struct Got {
      double loss;
      std::vector<float> gradients;
    };
    const auto pass = [&](Program& program, Program::Gradients mode) {
      Got got{program.forward(bench.tokens, bench.targets, mode), {}};
      program.backward();
      if (mode == Program::Gradients::alpha_and_weights)
        for (const Tensor& g : bench.grads) got.gradients.insert(got.gradients.end(), g.span().begin(), g.span().end());
      const auto alpha = bench.adapters[0].grad.span();
      got.gradients.insert(got.gradients.end(), alpha.begin(), alpha.end());
      return got;
    };
    for (const auto mode : {Program::Gradients::alpha_and_weights, Program::Gradients::alpha}) {
      const Got expected = pass(apart, mode);
      for (Program* program : {&mixed, &shared}) {
        const Got got = pass(*program, mode);
        CHECK(got.loss == expected.loss);
        CHECK(got.gradients == expected.gradients);
      }
      for (const Program::Exposed& e : mixed.exposed())
        for (const Program::Exposed& whole : apart.exposed())
          if (whole.name == e.name) {
            CHECK(std::equal(e.value, e.value + 4 * e.cols, whole.value));
            if (whole.grad) CHECK(std::equal(e.grad, e.grad + 4 * e.cols, whole.grad));
          }
    }
    bytes_apart += apart.arena_bytes(), bytes_shared += shared.arena_bytes();
  }
  CHECK(2 * bytes_shared < bytes_apart);
}
