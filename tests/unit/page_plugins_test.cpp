// Plugins that pages of the documentation show, as they stand there.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/trainer.hpp"
#include "khost/random.hpp"
#include "khost/spectral.hpp"
#include "plugin/registry.hpp"

using namespace khost;

namespace {

const Plugin& page_plugin(const std::string& name) {
  return load_plugin_file(KHOST_BINARY_DIR "/tests/readme/" + name + ".so").front();
}

}  // namespace

TEST_CASE("a compute plugin in C is loaded and described as any other") {
  const Plugin& naive = page_plugin("naive");
  CHECK(judge_plugin_file(naive.path).fingerprint == KHOST_C_TABLE);
  CHECK(title_of(naive) == "compute 'naive'");
  CHECK(naive.descriptor->numerics == 1);
  CHECK(std::string(naive.descriptor->summary) == "plain loops in C");
  CHECK(score_of(naive) == 1);
  CHECK(describe(naive, nullptr).schema.fields.empty());
}

TEST_CASE("Muon can be written: a matrix moves by an orthogonal step, what is none or an embedding by its momentum") {
  const Plugin& plugin = page_plugin("muon");
  Json config{Json::Object{}};
  config.set("lr", 1.0);
  const auto muon = create<Optimizer>(plugin, resolve_config(plugin, config));
  std::vector<float> gradient(40), matrix(40), embedding(40), vector(40), minus(40);
  Random(1, "test", "gradient").normal(gradient, 3);
  for (std::size_t i = 0; i < minus.size(); ++i) minus[i] = -gradient[i];
  Trainer trainer(*muon, {{"layer.0.mlp.up", true, matrix, gradient, {8, 5}},
                          {"tok_emb", true, embedding, gradient, {8, 5}},
                          {"layer.0.norm.weight", false, vector, gradient}});
  trainer.step();
  CHECK(embedding == minus);
  CHECK(vector == minus);
  // Its singular vectors are the gradient's; of the values, five Newton-Schulz steps leave what they do near 1.
  const std::vector<double> sigma = singular_values(matrix, 8, 5);
  CHECK(sigma.front() < 1.3);
  CHECK(sigma.back() > 0.6);
  double inner = 0;
  for (std::size_t i = 0; i < matrix.size(); ++i) inner -= static_cast<double>(matrix[i]) * gradient[i];
  double nuclear = 0;  // what the inner product with an exactly orthogonal step would be
  for (const double s : singular_values(gradient, 8, 5)) nuclear += s;
  CHECK(inner == doctest::Approx(nuclear).epsilon(0.3));
}

TEST_CASE("an adapter's page is a whole one: what it trains, and dW of it") {
  const Plugin& plugin = page_plugin("rank_one");
  Json config{Json::Object{}};
  config.set("scale", 2.0);
  const auto adapter = create<Adapter>(plugin, resolve_config(plugin, config));
  const AdaptedTo W{"layer.0.mlp.up", 2, 3, 1};
  AdapterTensors t;
  adapter->tensors(t, W);
  REQUIRE(t.all().size() == 2);
  CHECK(W[t.all()[0].name] == "layer.0.mlp.up/v");
  CHECK(t.all()[1].shape == Shape{2, 1});
  CHECK_FALSE(t.all()[1].start);
  const std::vector<float> v{1, 2, 3}, u{10, -1};
  std::vector<double> dW(6);
  adapter->difference(std::vector<std::span<const float>>{v, u}, {}, W, dW);
  CHECK(dW == std::vector<double>{20, 40, 60, -2, -4, -6});
}
