#pragma once

#include "khost/graph.hpp"
#include "khost/plugin.hpp"

// Blocks of two linear maps with a GELU between them, and no attention: each token is guessed from the last one alone.
class MyModel final : public khost::Model {
 public:
  struct Config {
    std::int64_t d_model = 32, n_layer = 2;
    static void fields(auto& f) {
      f("d_model", &Config::d_model).at_least(1).doc("width of the residual stream");
      f("n_layer", &Config::n_layer).at_least(1).doc("blocks");
    }
  };

  MyModel(const Config& config, const khost::ModelContext& context) : config_(config), vocabulary_(context.vocabulary) {}

  // Matrices are [out, in]. What is adaptable may carry an adapter; nothing else here knows of adapters.
  std::vector<khost::Parameter> parameters() const override {
    using khost::Init;
    const std::int64_t d = config_.d_model, wide = khost::checked_product({4, d});
    std::vector<khost::Parameter> all{{"tok_emb", {vocabulary_, d}, Init::normal, 0.02, true}};
    for (int l = 0; l < config_.n_layer; ++l) {
      all.push_back({name(l, "norm.weight"), {d}, Init::ones, 0, false, l});
      all.push_back({name(l, "mlp.up"), {wide, d}, Init::normal, 0.02, true, l});
      all.push_back({name(l, "mlp.down"), {d, wide}, Init::normal, 0.02, true, l});
    }
    all.push_back({"norm.weight", {d}, Init::ones});
    return all;
  }

  void forward(khost::Graph& g) const override {
    khost::Value x = embedding(g, "tok_emb");
    for (int l = 0; l < config_.n_layer; ++l) {
      const khost::Value up = gelu(g, linear(g, rms_norm(g, x, name(l, "norm.weight")), name(l, "mlp.up")));
      x = add(g, x, linear(g, up, name(l, "mlp.down")));
      g.expose("resid." + std::to_string(l), x);  // a probe may read it; unread it costs nothing
    }
    head_cross_entropy(g, rms_norm(g, x, "norm.weight"), "tok_emb");
  }

 private:
  static std::string name(int layer, const std::string& tensor) { return "layer." + std::to_string(layer) + "." + tensor; }

  Config config_;
  std::int64_t vocabulary_;
};
