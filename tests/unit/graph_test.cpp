#include <doctest/doctest.h>

#include <algorithm>

#include "compute/backend.hpp"
#include "graph_oracle.hpp"
#include "khost/error.hpp"
#include "khost/graph.hpp"
#include "message.hpp"
#include "plugins.hpp"

using namespace khost;
using namespace khost::test;

namespace {

// Every gradient against central differences of the oracle's loss. With a step of 1e-4 the difference quotient is good to about
// 1e-8 of the gradient's scale, so what is left is the f32 arithmetic of the pass: sums of up to a few hundred terms, each
// rounded to 6e-8, through up to a dozen operations. 2e-5 of the largest entry of the same tensor (and of all, for tensors with a
// tiny gradient) bounds that and is far below what a wrong term gives; 4e-7 is always allowed, for gradients that are small
// differences of large terms (layer_norm of two). The largest seen is 5.6e-6 of that scale, of the core, U and V alone 2.5e-6.
void check_gradients(Bench& bench, const std::string& backend_name, std::size_t most = 60) {
  Backend backend(backend_name, compute_table(backend_name), "{}", 2);
  Program program(bench.model, bench.slots, bench.B, bench.T, backend);
  for (Tensor& g : bench.grads) std::fill(g.span().begin(), g.span().end(), 1e30f);  // backward must overwrite them
  for (auto& a : bench.adapters)
    for (Tensor* g : a.gradients()) std::fill(g->span().begin(), g->span().end(), 1e30f);
  Point at = bench.point();
  const double expected = bench.oracle_loss(at);
  const auto mode = bench.options.weight_gradients ? Program::Gradients::alpha_and_weights : Program::Gradients::alpha;
  CHECK(program.forward(bench.tokens, bench.targets, Program::Gradients::none) == doctest::Approx(expected).epsilon(2e-6));
  CHECK(program.forward(bench.tokens, bench.targets, mode) == doctest::Approx(expected).epsilon(2e-6));
  program.backward();
  CHECK(program.first_non_finite() == "");

  double scale_of_all = 0;
  for (const auto& a : bench.adapters)
    for (const float g : a.grad.span()) scale_of_all = std::max(scale_of_all, static_cast<double>(std::abs(g)));
  const auto compare = [&](const std::string& name, std::vector<double>& x, std::span<const float> found) {
    std::vector<std::size_t> picks;
    if (x.size() <= most) {
      for (std::size_t i = 0; i < x.size(); ++i) picks.push_back(i);
    } else {
      Random random(7, name, "picks");
      for (std::size_t i = 0; i < most; ++i) picks.push_back(random.below(x.size()));
    }
    double scale = 0;
    for (const float g : found) scale = std::max(scale, static_cast<double>(std::abs(g)));
    double worst = 0, largest = 0;
    for (const std::size_t i : picks) {
      const auto [known, fresh] = bench.quotients.try_emplace({name, i}, 0.0);  // the same for every backend
      const double h = 1e-4, before = x[i];
      if (fresh) {
        x[i] = before + h;
        const double up = bench.oracle_loss(at);
        x[i] = before - h;
        known->second = (up - bench.oracle_loss(at)) / (2 * h);
        x[i] = before;
      }
      const double quotient = known->second;
      largest = std::max(largest, std::abs(quotient));
      worst = std::max(worst, std::abs(quotient - static_cast<double>(found[i])));
    }
    INFO(backend_name, ": ", name, " worst ", worst, " of ", largest, " in batch ", bench.B, " sequence ", bench.T);
    CHECK(worst <= 2e-5 * std::max({scale, largest, 0.1 * scale_of_all, 2e-2}));
  };
  for (const auto& a : bench.adapters) {
    compare(a.name + "/alpha", at.alpha.at(a.name), a.grad.span());
    if (bench.options.core != "factors") continue;
    compare(a.name + "/U", at.U.at(a.name), a.U_grad.span());
    compare(a.name + "/V", at.V.at(a.name), a.V_grad.span());
  }
  if (!bench.options.weight_gradients) return;
  for (std::size_t i = 0; i < bench.slots.size(); ++i)
    compare(bench.slots[i].parameter.name, at.weights.at(bench.slots[i].parameter.name), bench.grads[i].span());
}

Parameter matrix(std::string name, std::int64_t m, std::int64_t n) {
  return {std::move(name), {m, n}, Init::normal, 0.02, true, -1};
}
Parameter vector(std::string name, std::int64_t n, Init init = Init::ones) {
  return {std::move(name), {n}, init, 0.02, false, -1};
}

TestModel tiny_gpt(std::int64_t vocabulary, std::int64_t sequence, std::int64_t C, std::int64_t heads) {
  return TestModel({matrix("E", vocabulary, C), matrix("P", sequence, C), vector("w1", C), vector("b1", C, Init::zeros),
                    matrix("qkv", 3 * C, C), matrix("proj", C, C), vector("w2", C), vector("b2", C, Init::zeros),
                    matrix("up", 4 * C, C), matrix("down", C, 4 * C)},
                   [heads](Graph& g) {
                     Value x = add_positions(g, embedding(g, "E"), "P");
                     x = add(g, x, linear(g, causal_attention(g, linear(g, layer_norm(g, x, "w1", "b1"), "qkv"), heads), "proj"));
                     x = add(g, x, linear(g, gelu(g, linear(g, layer_norm(g, x, "w2", "b2"), "up")), "down"));
                     head_cross_entropy(g, x, "E");
                   });
}

}  // namespace

TEST_CASE("a core's rows through C, and its gradient, are those of the matrix that its entries make") {
  constexpr std::int64_t rows = 37, K = 6;
  Random random(1, "test", "core");
  for (const std::string backend_name : {"reference", "openblas"}) {
    Backend backend(backend_name, compute_table(backend_name), "{}", 1);
    for (const char* name : {"diagonal", "block", "factors", "bidiagonal"}) {
      CAPTURE(name);
      const Core& core = *test::core(name);
      const auto size = static_cast<std::size_t>(element_count(core.alpha(K)));
      const auto drawn = [&](std::size_t n) {
        std::vector<float> values(n);
        random.normal(values, 1);
        return values;
      };
      const std::vector<float> alpha = drawn(size), p = drawn(rows * K), q = drawn(rows * K);
      std::vector<double> C(K * K);
      std::set<std::pair<std::int64_t, std::int64_t>> places;
      for (std::size_t i = 0; i < size; ++i) {
        const Core::Entry e = core.entry(K, static_cast<std::int64_t>(i));
        CHECK(places.emplace(e.row, e.column).second);
        C[static_cast<std::size_t>(e.row * K + e.column)] = static_cast<double>(alpha[i]);
      }
      const CoreStep step{backend, rows, K, alpha.data()};
      std::vector<float> to_V(rows * K), to_U(rows * K);
      core.towards_V(step, p.data(), to_V.data());
      core.towards_U(step, p.data(), to_U.data());
      for (std::size_t t = 0; t < rows; ++t)
        for (std::size_t k = 0; k < K; ++k) {
          double v = 0, u = 0;
          for (std::size_t l = 0; l < K; ++l) {
            v += static_cast<double>(p[t * K + l]) * C[l * K + k];
            u += static_cast<double>(p[t * K + l]) * C[k * K + l];
          }
          CHECK(std::abs(static_cast<double>(to_V[t * K + k]) - v) < 1e-5);
          CHECK(std::abs(static_cast<double>(to_U[t * K + k]) - u) < 1e-5);
        }
      // Twice, the second added to the first.
      std::vector<float> gradient(size, 99.0f);
      std::vector<double> sums(static_cast<std::size_t>(core.sums(K)), 99.0);
      core.gradient(step, p.data(), q.data(), {gradient.data(), sums.data(), false});
      core.gradient(step, q.data(), p.data(), {gradient.data(), sums.data(), true});
      for (std::size_t i = 0; i < size; ++i) {
        const Core::Entry e = core.entry(K, static_cast<std::int64_t>(i));
        const auto row = static_cast<std::size_t>(e.row), column = static_cast<std::size_t>(e.column);
        double sum = 0;
        for (std::size_t t = 0; t < rows; ++t)
          sum += static_cast<double>(p[t * K + row]) * static_cast<double>(q[t * K + column]) +
                 static_cast<double>(q[t * K + row]) * static_cast<double>(p[t * K + column]);
        CHECK(std::abs(static_cast<double>(gradient[i]) - sum) < 1e-4);
      }
    }
  }
}

TEST_CASE("graph: embedding and head alone, tied and untied, with and without adapters") {
  const TestModel tied({matrix("E", 7, 5)}, [](Graph& g) { head_cross_entropy(g, embedding(g, "E"), "E"); });
  const TestModel untied({matrix("E", 7, 5), matrix("H", 7, 5)}, [](Graph& g) { head_cross_entropy(g, embedding(g, "E"), "H"); });
  for (const char* backend : {"openblas", "reference", "portable"}) {
    Bench a(tied, 2, 5, 7, {.ranks = {{"E", 3}}}), b(untied, 3, 1, 7, {.ranks = {{"E", 1}, {"H", 5}}}), c(untied, 1, 5, 7, {});
    check_gradients(a, backend);
    check_gradients(b, backend);
    check_gradients(c, backend);
  }
}

TEST_CASE("graph: linear, shapes odd and skinny") {
  for (const std::int64_t K : {1, 3, 11})
    for (const auto& [m, n] : {std::pair{12, 33}, std::pair{33, 12}, std::pair{13, 17}}) {
      const std::int64_t rows = m, cols = n;
      const TestModel model({matrix("E", 7, cols), matrix("W", rows, cols), matrix("H", 7, rows)},
                            [](Graph& g) { head_cross_entropy(g, linear(g, embedding(g, "E"), "W"), "H"); });
      Bench bench(model, 2, 5, 7, {.ranks = {{"W", K}}});
      check_gradients(bench, "openblas");
      check_gradients(bench, "portable");
    }
}

// Every core in every place an adapter can be, alone (so that its gradients cannot hide behind another's) and with all weights
// trained beside it.
TEST_CASE("graph: every core, in linear, embedding, tied and untied head") {
  struct Place {
    const char* matrix;
    std::int64_t m, n;
    bool tied;
  };
  for (const char* core : {"diagonal", "block", "factors"})
    for (const Place& p : {Place{"W", 12, 33, false},
                           {"W", 33, 12, false},
                           {"W", 13, 13, false},
                           {"E", 7, 5, false},
                           {"E", 5, 12, false},
                           {"H", 7, 5, false},
                           {"H", 6, 17, false},
                           {"E", 7, 5, true},
                           {"E", 9, 16, true}}) {
      const bool between = *p.matrix == 'W';
      const std::int64_t V = between ? 7 : p.m, C = p.n;
      std::vector<Parameter> parameters{matrix("E", V, C)};
      if (between) parameters.push_back(matrix("W", p.m, C));
      if (!p.tied) parameters.push_back(matrix("H", V, between ? p.m : C));
      const TestModel model(parameters, [&](Graph& g) {
        const Value x = embedding(g, "E");
        head_cross_entropy(g, between ? linear(g, x, "W") : gelu(g, x), p.tied ? "E" : "H");
      });
      for (const std::int64_t K : {std::int64_t{1}, std::int64_t{3}, std::min(p.m, p.n)})
        for (const bool weights : {true, false}) {
          CAPTURE(p.matrix);
          CAPTURE(p.tied);
          CAPTURE(core);
          CAPTURE(K);
          // 11 tokens of a vocabulary of 5 to 9: rows of U gather the gradients of several tokens, and some rows none.
          Bench bench(model, 1, 11, V, {.ranks = {{p.matrix, K}}, .weight_gradients = weights, .core = core});
          for (const char* backend : {"openblas", "reference", "portable"}) check_gradients(bench, backend, 40);
        }
    }
}

TEST_CASE("graph: every core in a decoder, and over the head's chunks") {
  for (const char* core : {"block", "factors"}) {
    const TestModel decoder = tiny_gpt(37, 9, 12, 3);
    Bench bench(decoder, 2, 9, 37,
                {.ranks = {{"E", 5}, {"qkv", 3}, {"proj", 12}, {"up", 1}, {"down", 7}}, .weight_gradients = false, .core = core});
    for (const char* backend : {"openblas", "reference"}) check_gradients(bench, backend, 24);
    const TestModel tied({matrix("E", 13, 6)}, [](Graph& g) { head_cross_entropy(g, gelu(g, embedding(g, "E")), "E"); });
    for (const std::int64_t T : {256, 257, 530}) {
      Bench chunks(tied, 1, T, 13, {.ranks = {{"E", 4}}, .weight_gradients = false, .core = core});
      check_gradients(chunks, "openblas", 20);
    }
    // A matrix that two linears use: their shares add up.
    const TestModel twice({matrix("E", 11, 6), matrix("W", 6, 6), matrix("H", 11, 6)}, [](Graph& g) {
      head_cross_entropy(g, linear(g, gelu(g, linear(g, embedding(g, "E"), "W")), "W"), "H");
    });
    Bench both(twice, 2, 5, 11, {.ranks = {{"W", 4}}, .core = core});
    check_gradients(both, "reference");
  }
}

// Factors change between steps: a program that laid out U or V once would still use the old ones.
TEST_CASE("graph: U and V are read anew at every pass") {
  const TestModel model = tiny_gpt(37, 9, 12, 3);
  const std::map<std::string, std::int64_t> ranks{{"E", 5}, {"qkv", 3}, {"down", 7}};
  Bench bench(model, 2, 9, 37, {.ranks = ranks, .weight_gradients = false, .core = "factors"});
  Backend backend("openblas", compute_table("openblas"), "{}", 2);
  Program program(model, bench.slots, bench.B, bench.T, backend);
  const double before = program.forward(bench.tokens, bench.targets, Program::Gradients::alpha);
  program.backward();
  for (auto& a : bench.adapters)
    for (Tensor* t : {&a.U, &a.V})
      for (float& v : t->span()) v = 1.5f * v + 0.01f;
  const double after = program.forward(bench.tokens, bench.targets, Program::Gradients::alpha);
  program.backward();
  CHECK(after != doctest::Approx(before).epsilon(1e-4));
  CHECK(after == doctest::Approx(bench.oracle_loss(bench.point())).epsilon(2e-6));
  const std::vector<float> found(bench.adapters[0].U_grad.span().begin(), bench.adapters[0].U_grad.span().end());
  Program fresh(model, bench.slots, bench.B, bench.T, backend);
  fresh.forward(bench.tokens, bench.targets, Program::Gradients::alpha);
  fresh.backward();
  CHECK(std::ranges::equal(found, bench.adapters[0].U_grad.span()));
}

// A head over several chunks, rows of U that many tokens share, matrices large enough to be split over threads. Of the host's own
// products alone: a BLAS may split a sum by its number of threads (OpenBLAS does, with its kernels for AMD), which is why that
// number is part of a trial's identity.
TEST_CASE("graph: every core's gradients are the same bits at one, two and three threads") {
  const TestModel model = tiny_gpt(301, 150, 48, 4);
  for (const char* core : {"diagonal", "block", "factors"})
    for (const char* name : {"reference", "portable"}) {
      Bench bench(model, 2, 150, 301,
                  {.ranks = {{"E", 17}, {"qkv", 8}, {"proj", 5}, {"up", 32}, {"down", 48}}, .sd = 0.1, .core = core});
      std::vector<std::vector<float>> runs;
      for (const int threads : {1, 2, 3}) {
        Backend backend(name, compute_table(name), "{}", threads);
        Program program(model, bench.slots, bench.B, bench.T, backend);
        program.forward(bench.tokens, bench.targets, Program::Gradients::alpha_and_weights);
        program.backward();
        auto& all = runs.emplace_back();
        for (auto& a : bench.adapters)
          for (const Tensor* g : a.gradients()) all.insert(all.end(), g->span().begin(), g->span().end());
      }
      INFO(std::string(name), " core ", core);
      CHECK(runs[1] == runs[0]);
      CHECK(runs[2] == runs[0]);
    }
}

// What stands beside each operation in its file, between an embedding and a head.
TEST_CASE("graph: every operation's own cases") {
  REQUIRE(op_cases().size() >= 15);
  for (const OpCase& c : op_cases())
    for (const std::int64_t C : c.widths) {
      std::vector<Parameter> parameters = c.parameters(C);
      for (Parameter& p : parameters) p.adaptable = p.shape.size() == 2;
      parameters.push_back(matrix("E", 7, C));
      const auto forward = [&](Graph& g) { return c.build(g, embedding(g, "E"), C); };
      const auto columns = [&] {
        Point at;
        for (const Parameter& p : parameters)
          at.shapes[p.name] = p.shape, at.weights[p.name].resize(static_cast<std::size_t>(element_count(p.shape)));
        const std::vector<std::int32_t> token{0};
        OracleGraph g(at, 1, 1, token, token);
        return g.columns(forward(g));
      }();
      parameters.push_back(matrix("H", 7, columns));
      const TestModel model(parameters, [&](Graph& g) { head_cross_entropy(g, forward(g), "H"); });
      CAPTURE(c.name);
      CAPTURE(C);
      for (const auto& [B, T] : {std::pair{1, 1}, std::pair{2, 5}, std::pair{3, 17}, std::pair{1, 67}}) {
        if (T > 29 && c.name == "add_positions") continue;  // its P has 29 rows
        Bench bench(model, B, T, 7, {.sd = 0.7});
        for (const char* backend : {"reference", "openblas"}) check_gradients(bench, backend, T > 60 ? 8 : 24);
      }
    }
}

TEST_CASE("graph: a target that is ignored adds nothing to the loss, nor to any gradient") {
  const TestModel model({matrix("E", 13, 6), matrix("H", 13, 6)},
                        [](Graph& g) { head_cross_entropy(g, gelu(g, embedding(g, "E")), "H"); });
  for (const std::int64_t T : {7, 300}) {
    Bench bench(model, 2, T, 13, {.ranks = {{"H", 3}}});
    for (std::size_t i = 0; i < bench.targets.size(); ++i)
      if (i % 3 == 0 || i > bench.targets.size() / 2) bench.targets[i] = ignored_target;
    for (const char* backend : {"reference", "openblas"}) check_gradients(bench, backend, 20);
    std::ranges::fill(bench.targets, ignored_target);
    Backend backend("reference", compute_table("reference"), "{}", 1);
    Program program(model, bench.slots, bench.B, bench.T, backend);
    CHECK(message_of([&] {
            program.forward(bench.tokens, bench.targets, Program::Gradients::none);
          }).find("none of them counts") != std::string::npos);
  }
}

// Of one sequence the gradient of positions that are added is that of the sum.
TEST_CASE("graph: what a model exposes is there after the backward pass, with its gradient, and costs nothing unread") {
  const auto forward = [](Graph& g, bool expose) {
    Value x = add_positions(g, embedding(g, "E"), "P");
    if (expose) g.expose("sum", x);
    for (const char* W : {"W1", "W2", "W3"}) x = add(g, x, gelu(g, linear(g, x, W)));
    if (expose) g.expose("last", x);
    head_cross_entropy(g, x, "H");
  };
  const std::vector<Parameter> parameters{matrix("E", 7, 6),  matrix("P", 5, 6),  matrix("W1", 6, 6),
                                          matrix("W2", 6, 6), matrix("W3", 6, 6), matrix("H", 7, 6)};
  const TestModel exposing(parameters, [&](Graph&g) { forward(g, true); }),
      plain(parameters, [&](Graph&g) { forward(g, false); });
  Backend backend("reference", compute_table("reference"), "{}", 1);
  Bench bench(exposing, 1, 5, 7, {.ranks = {{"W3", 2}}});
  Program shown(exposing, bench.slots, 1, 5, backend, {true, true}), unread(exposing, bench.slots, 1, 5, backend),
      without(plain, bench.slots, 1, 5, backend);
  CHECK(unread.arena_bytes() == without.arena_bytes());
  CHECK(shown.arena_bytes() > without.arena_bytes());
  for (const Program::Exposed& e : unread.exposed()) CHECK((e.value == nullptr && e.grad == nullptr));

  const double loss = shown.forward(bench.tokens, bench.targets, Program::Gradients::alpha_and_weights);
  shown.backward();
  const std::vector<Program::Exposed> all = shown.exposed();
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "sum");
  CHECK(all[1].name == "last");
  CHECK(all[0].cols == 6);
  const Tensor &E = bench.values[0], &P = bench.values[1], &dP = bench.grads[1];
  for (std::int64_t t = 0; t < 5; ++t)
    for (std::int64_t c = 0; c < 6; ++c) {
      const std::int64_t at = t * 6 + c;
      CHECK(all[0].value[at] == E.data()[bench.tokens[static_cast<std::size_t>(t)] * 6 + c] + P.data()[at]);
      CHECK(all[0].grad[at] == dP.data()[at]);
    }
  // Adapters alone: nothing that is trained stands before the sum, whose gradient is asked for all the same.
  const std::vector<float> of_sum(all[0].grad, all[0].grad + 30),
      of_alpha(bench.adapters[0].grad.span().begin(), bench.adapters[0].grad.span().end());
  CHECK(shown.forward(bench.tokens, bench.targets, Program::Gradients::alpha) == loss);
  shown.backward();
  CHECK(std::equal(of_sum.begin(), of_sum.end(), all[0].grad));
  CHECK(std::ranges::equal(of_alpha, bench.adapters[0].grad.span()));
  CHECK(without.forward(bench.tokens, bench.targets, Program::Gradients::alpha) == loss);
  without.backward();
  CHECK(std::ranges::equal(of_alpha, bench.adapters[0].grad.span()));

  const auto refusal = [&](auto&& expose) {
    const TestModel model({matrix("E", 7, 6)}, [&](Graph& g) {
      const Value x = embedding(g, "E");
      expose(g, x);
      head_cross_entropy(g, x, "E");
    });
    Bench wrong(model, 1, 2, 7, {});
    return message_of([&] { Program(model, wrong.slots, 1, 2, backend); });
  };
  CHECK(refusal([](Graph& g, Value x) { g.expose("a b", x); }).find("expose 'a b': a name is made of letters") == 0);
  CHECK(refusal([](Graph& g, Value) { g.expose("a", {7}); }).find("not a value of this graph") != std::string::npos);
  CHECK(refusal([](Graph& g, Value x) { g.expose("a", x), g.expose("a", x); }).find("two values by that name") !=
        std::string::npos);
}

TEST_CASE("graph: a value that three operations read, and a matrix that two use") {
  const TestModel model({matrix("E", 11, 6), matrix("W", 6, 6), matrix("H", 11, 6)}, [](Graph& g) {
    const Value x = embedding(g, "E"), a = linear(g, x, "W"), b = gelu(g, x);
    head_cross_entropy(g, linear(g, add(g, add(g, a, b), x), "W"), "H");
  });
  for (const char* backend : {"openblas", "reference"}) {
    Bench bench(model, 2, 5, 11, {.ranks = {{"W", 3}, {"H", 2}}});
    check_gradients(bench, backend);
  }
}

TEST_CASE("graph: a small decoder, all gradients, on every backend") {
  struct Case {
    std::int64_t B, T, C, heads, V, K;
  };
  for (const Case& c :
       {Case{1, 5, 12, 3, 7, 3}, Case{2, 17, 12, 2, 101, 11}, Case{3, 1, 6, 1, 7, 1}, Case{3, 5, 33, 3, 101, 7}}) {
    const TestModel model = tiny_gpt(c.V, c.T + 2, c.C, c.heads);
    const std::int64_t K = std::min(c.K, c.C);
    Bench bench(model, c.B, c.T, c.V, {.ranks = {{"E", std::min(K, c.V)}, {"qkv", K}, {"proj", K}, {"up", K}, {"down", K}}});
    for (const char* backend : {"openblas", "reference", "portable"}) check_gradients(bench, backend, 16);
  }
}

TEST_CASE("graph: adapters only: alpha gradients without weight gradients, some matrices plain") {
  const TestModel model = tiny_gpt(101, 17, 12, 3);
  for (const auto& ranks : {std::map<std::string, std::int64_t>{{"up", 3}}, {{"E", 2}}, {{"qkv", 12}, {"down", 1}}, {}}) {
    Bench bench(model, 2, 17, 101, {.ranks = ranks, .weight_gradients = false});
    check_gradients(bench, "openblas");
  }
}

TEST_CASE("graph: the head's chunks: token counts around a chunk's size give the same loss and gradients as the oracle") {
  const TestModel model({matrix("E", 13, 6), matrix("H", 13, 6)},
                        [](Graph& g) { head_cross_entropy(g, embedding(g, "E"), "H"); });
  for (const std::int64_t T : {255, 256, 257, 530}) {
    Bench bench(model, 1, T, 13, {.ranks = {{"H", 3}}});
    check_gradients(bench, "openblas", 30);
  }
}

TEST_CASE("graph: twice the same gives the same bits, and gradients of one kind do not depend on the other") {
  const TestModel model = tiny_gpt(101, 40, 24, 4);
  Bench bench(model, 4, 40, 101, {.ranks = {{"E", 5}, {"qkv", 5}, {"up", 7}}});
  Backend backend("openblas", compute_table("openblas"), "{}", 2);
  Program program(model, bench.slots, 4, 40, backend), again(model, bench.slots, 4, 40, backend);
  std::vector<std::vector<float>> runs;
  std::vector<double> losses;
  for (Program* p : {&program, &program, &again})
    for (const auto mode : {Program::Gradients::alpha_and_weights, Program::Gradients::alpha}) {
      losses.push_back(p->forward(bench.tokens, bench.targets, mode));
      p->backward();
      auto& all = runs.emplace_back();
      for (const auto& a : bench.adapters) all.insert(all.end(), a.grad.span().begin(), a.grad.span().end());
      for (const auto& g : bench.grads) all.insert(all.end(), g.span().begin(), g.span().end());
    }
  for (std::size_t i = 1; i < runs.size(); ++i) {
    CHECK(losses[i] == losses[0]);
    CHECK(runs[i] == runs[0]);
  }
  CHECK(program.forward(bench.tokens, bench.targets, Program::Gradients::none) == losses[0]);
}

TEST_CASE("graph: the first value that is not finite is named") {
  const TestModel model = tiny_gpt(7, 5, 6, 2);
  const auto first = [&](auto&& spoil) {
    Bench bench(model, 2, 5, 7, {.ranks = {{"up", 3}}});
    spoil(bench);
    Backend backend("reference", compute_table("reference"), "{}", 1);
    Program program(model, bench.slots, 2, 5, backend);
    const double loss = program.forward(bench.tokens, bench.targets, Program::Gradients::alpha);
    CHECK_FALSE(std::isfinite(loss));
    return program.first_non_finite();
  };
  CHECK(first([](Bench& b) { b.values[4].data()[3] = NAN; }) == "parameter qkv");
  CHECK(first([](Bench& b) { b.adapters[0].alpha.data()[1] = INFINITY; }) == "alpha of up");
  CHECK(first([](Bench& b) {
          for (float& v : b.values[8].span()) v = 3e38f;
        }) == "output of linear up");
  CHECK(first([](Bench& b) {
          for (float& v : b.values[4].span()) v *= 1e20f;
        }) == "probabilities of causal_attention after linear qkv");
  CHECK(first([](Bench& b) {  // large values in, finite throughout, until logits of the tied head overflow
          for (float& v : b.values[0].span()) v = 1e20f * (v + 1);
        }) == "logits of head E");
}

TEST_CASE("graph: a NaN among the logits of other tokens reaches the loss") {
  const TestModel model({matrix("E", 40, 6), matrix("H", 40, 6)},
                        [](Graph& g) { head_cross_entropy(g, embedding(g, "E"), "H"); });
  Bench bench(model, 1, 3, 40, {});
  for (auto& t : bench.targets) t = 1;
  bench.values[1].data()[20 * 6] = NAN;
  Backend backend("openblas", compute_table("openblas"), "{}", 2);
  Program program(model, bench.slots, 1, 3, backend);
  CHECK(std::isnan(program.forward(bench.tokens, bench.targets, Program::Gradients::none)));
}

TEST_CASE("graph: what does not fit is refused by name") {
  Backend backend("portable", nullptr, "{}", 1);
  const auto refused = [&](const std::string& why, std::vector<Parameter> parameters, std::function<void(Graph&)> forward) {
    std::string message = "accepted";
    const TestModel model(std::move(parameters), std::move(forward));
    Bench bench(model, 1, 4, 7, {});
    try {
      Program program(model, bench.slots, 1, 4, backend);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::plugin);
      message = e.what();
    }
    INFO(message);
    CHECK(message.find(why) != std::string::npos);
  };
  const Parameter E = matrix("E", 7, 6);
  refused("linear layer.W: 'layer.W' [6, 5] (out x in) does not fit its input [4, 6]", {E, matrix("layer.W", 6, 5)},
          [](Graph& g) { head_cross_entropy(g, linear(g, embedding(g, "E"), "layer.W"), "E"); });
  refused("no parameter 'porj'", {E, matrix("proj", 6, 6)},
          [](Graph& g) { head_cross_entropy(g, linear(g, embedding(g, "E"), "porj"), "E"); });
  refused("never uses the parameter 'spare' [6, 6]", {E, matrix("spare", 6, 6)},
          [](Graph& g) { head_cross_entropy(g, embedding(g, "E"), "E"); });
  refused("does not end in head_cross_entropy", {E}, [](Graph& g) { embedding(g, "E"); });
  refused("embedding E: nothing uses its output", {E}, [](Graph& g) {
    embedding(g, "E");
    head_cross_entropy(g, embedding(g, "E"), "E");
  });
  refused("not a value of this graph", {E}, [](Graph& g) { head_cross_entropy(g, {}, "E"); });
  refused("cannot be split into q, k, v of 4 heads", {E},
          [](Graph& g) { head_cross_entropy(g, causal_attention(g, embedding(g, "E"), 4), "E"); });
  refused("expected at least [4, 6]", {E, matrix("P", 3, 6)},
          [](Graph& g) { head_cross_entropy(g, add_positions(g, embedding(g, "E"), "P"), "E"); });
}

TEST_CASE("graph: ids outside the vocabulary, wrong counts and backward without forward are refused") {
  const TestModel model({matrix("E", 7, 6)}, [](Graph& g) { head_cross_entropy(g, embedding(g, "E"), "E"); });
  Bench bench(model, 2, 3, 7, {});
  Backend backend("portable", nullptr, "{}", 1);
  Program program(model, bench.slots, 2, 3, backend);
  CHECK_THROWS_WITH_AS(program.backward(), doctest::Contains("needs a forward pass with gradients"), Error);
  auto wrong = bench.tokens;
  wrong[4] = 7;
  CHECK_THROWS_WITH_AS(program.forward(wrong, bench.targets, Program::Gradients::none),
                       doctest::Contains("tokens: id 7 at sequence 1, position 1 is outside the 7 rows of 'E'"), Error);
  CHECK_THROWS_WITH_AS(program.forward(bench.tokens, wrong, Program::Gradients::none), doctest::Contains("targets: id 7"), Error);
  wrong.pop_back();
  CHECK_THROWS_WITH_AS(program.forward(wrong, bench.targets, Program::Gradients::none), doctest::Contains("5 were given"), Error);
}

TEST_CASE("graph: the gpt plugin, every gradient of a two-layer model, tied and untied, every core") {
  for (const char* head : {"tied", "untied"}) {
    const khost_descriptor& plugin = plugin_descriptor("gpt");
    Json config{Json::Object{}};
    config.set("d_model", 12);
    config.set("n_layer", 2);
    config.set("n_head", 3);
    config.set("head", head);
    ModelContext context{37, 9};
    void* made = nullptr;
    khost_message message{};
    REQUIRE(plugin.create(&config, &context, &made, &message) == 0);
    const std::unique_ptr<Model, void (*)(Model*)> model(static_cast<Model*>(made),
                                                         [](Model* m) { plugin_descriptor("gpt").destroy(m); });
    std::map<std::string, std::int64_t> ranks;
    for (const Parameter& p : model->parameters())
      if (p.adaptable) ranks[p.name] = 5;
    CHECK(ranks.size() == 9);
    for (const char* core : {"diagonal", "block", "factors"}) {
      Bench bench(*model, 2, 9, 37, {.ranks = ranks, .core = core});
      for (const char* backend : {"openblas", "reference"}) check_gradients(bench, backend, 10);
    }
  }
}
