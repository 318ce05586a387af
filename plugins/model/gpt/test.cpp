#include <doctest/doctest.h>

#include <cmath>

#include "gpt.hpp"
#include "khost/draft/op.hpp"
#include "khost/error.hpp"

using namespace khost;
using gpt::Gpt;

namespace {
std::int64_t adapter_parameters(const Gpt& model, std::int64_t rank) {
  std::int64_t sum = 0;
  for (const Parameter& p : model.parameters())
    if (p.adaptable) sum += rank * (p.shape[0] + p.shape[1]);
  return sum;
}
}  // namespace

TEST_CASE("gpt: the papers' adapter parameter counts at full size") {
  const Gpt model({}, {15007, 127});
  int matrices = 0;
  for (const Parameter& p : model.parameters()) matrices += p.adaptable;
  CHECK(matrices == 33);
  CHECK(adapter_parameters(model, 1) == 48031);
  CHECK(adapter_parameters(model, 32) == 1536992);
  CHECK(adapter_parameters(model, 64) == 3073984);
}

TEST_CASE("gpt: names, shapes and initial spreads") {
  const Gpt model({.d_model = 12, .n_layer = 2, .n_head = 3, .head = "tied"}, {7, 5});
  const auto all = model.parameters();
  REQUIRE(all.size() == 2 + 2 * 8 + 2);
  CHECK(all[0].name == "tok_emb");
  CHECK(all[0].shape == Shape{7, 12});
  CHECK(all[1].shape == Shape{5, 12});
  CHECK_FALSE(all[1].adaptable);
  CHECK(all[12].name == "layer.1.attn.qkv");
  CHECK(all[12].shape == Shape{36, 12});
  CHECK(all[12].layer == 1);
  CHECK(all[13].sd == doctest::Approx(0.01));  // 0.02 / sqrt(2 x 2)
  CHECK(all[16].shape == Shape{48, 12});
  CHECK(all[17].shape == Shape{12, 48});
  CHECK(all.back().name == "ln_f.bias");
  CHECK(all.back().init == Init::zeros);
}

TEST_CASE("gpt: other initialisations: every matrix plain, or as torch.nn.Linear draws it; embeddings of their own spread") {
  const std::vector<Parameter> plain =
                                   Gpt({.d_model = 12, .n_layer = 2, .n_head = 3, .init = "plain", .embedding_sd = 0.04}, {7, 5})
                                       .parameters(),
                               pytorch = Gpt({.d_model = 12, .n_layer = 2, .n_head = 3, .init = "pytorch"}, {7, 5}).parameters();
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const Parameter& p = plain[i];
    CAPTURE(p.name);
    CHECK(pytorch[i].name == p.name);
    CHECK(pytorch[i].shape == p.shape);
    if (p.shape.size() != 2) continue;
    const bool embedding = i < 2;
    CHECK(p.init == Init::normal);
    CHECK(p.sd == doctest::Approx(embedding ? 0.04 : 0.02));
    CHECK(pytorch[i].init == (embedding ? Init::normal : Init::uniform));
    CHECK(pytorch[i].sd == doctest::Approx(embedding ? 0.02 : 1 / std::sqrt(3.0 * static_cast<double>(p.shape[1]))));
  }
}

TEST_CASE("gpt: an untied head is one more matrix, last, without adapter") {
  const Gpt::Config config{.d_model = 12, .n_layer = 2, .n_head = 3, .head = "untied"};
  const Gpt model(config, {7, 5}), tied({.d_model = 12, .n_layer = 2, .n_head = 3, .head = "tied"}, {7, 5});
  const auto all = model.parameters(), others = tied.parameters();
  REQUIRE(all.size() == others.size() + 1);
  for (std::size_t i = 0; i < others.size(); ++i) CHECK(all[i].name == others[i].name);
  CHECK(all.back().name == "head");
  CHECK(all.back().shape == Shape{7, 12});
  CHECK(all.back().init == Init::normal);
  CHECK(all.back().sd == doctest::Approx(0.02));
  CHECK_FALSE(all.back().adaptable);
  CHECK(all.back().layer == -1);
  CHECK(adapter_parameters(Gpt({.d_model = 256, .n_layer = 8, .n_head = 4, .head = "untied"}, {15007, 127}), 2) == 96062);
}

namespace {
// Notes what the embedding and the head read, and what is exposed, and lets everything else pass.
struct Reads : Graph {
  std::string embedded, ended;
  std::vector<std::string> exposed;
  std::int64_t batch() const override { return 1; }
  std::int64_t sequence() const override { return 5; }
  void expose(std::string_view name, Value) override { exposed.emplace_back(name); }
  Value append(std::unique_ptr<Op> op, std::span<const Value>, std::span<const std::string_view> parameters) override {
    if (op->name() == "embedding") embedded = parameters.front();
    if (op->ends()) ended = parameters.front();
    return {0};
  }
};
}  // namespace

TEST_CASE("gpt: which matrix the head multiplies with") {
  for (const auto& [head, matrix] : {std::pair{"tied", "tok_emb"}, std::pair{"untied", "head"}}) {
    Reads graph;
    Gpt({.d_model = 12, .n_layer = 1, .n_head = 3, .head = head}, {7, 5}).forward(graph);
    CHECK(graph.embedded == "tok_emb");
    CHECK(graph.ended == matrix);
    CHECK(graph.exposed == std::vector<std::string>{"resid_pre", "layer.0.resid_mid", "layer.0.resid_post"});
  }
}

TEST_CASE("gpt: a width that does not divide over the heads is refused") {
  CHECK_THROWS_WITH_AS(Gpt({.d_model = 10, .n_layer = 1, .n_head = 4, .head = "tied"}, {7, 5}),
                       doctest::Contains("d_model 10 cannot be split over n_head 4"), Error);
}
