#include "gpt.hpp"

#include <cmath>

#include "khost/error.hpp"
#include "khost/graph.hpp"

namespace khost::gpt {

Gpt::Gpt(const Config& config, const ModelContext& context) : config_(config), context_(context) {
  if (config.d_model % config.n_head != 0)
    throw Error(ErrorKind::usage, "d_model " + std::to_string(config.d_model) + " cannot be split over n_head " +
                                      std::to_string(config.n_head) + " heads of equal width")
        .hint("make d_model a multiple of n_head");
  if (context.vocabulary < 1 || context.sequence < 1)
    throw Error(ErrorKind::plugin, "the model was given a vocabulary of " + std::to_string(context.vocabulary) +
                                       " and a sequence of " + std::to_string(context.sequence) + "; both must be at least 1");
}

std::vector<Parameter> Gpt::parameters() const {
  const std::int64_t d = config_.d_model;
  const double sd = 0.02;
  // Each block adds to the residual stream twice; this keeps its variance the same at any depth (GPT-2).
  const double residual_sd = config_.init == "gpt2" ? sd / std::sqrt(2.0 * static_cast<double>(config_.n_layer)) : sd;
  const auto matrix = [&](std::string name, Shape shape, double normal_sd, bool adaptable, int layer) {
    const double inputs = static_cast<double>(shape.back());
    return config_.init == "pytorch"
               ? Parameter{std::move(name), std::move(shape), Init::uniform, 1 / std::sqrt(3 * inputs), adaptable, layer}
               : Parameter{std::move(name), std::move(shape), Init::normal, normal_sd, adaptable, layer};
  };
  std::vector<Parameter> all;
  all.push_back({"tok_emb", {context_.vocabulary, d}, Init::normal, config_.embedding_sd, true, -1});
  all.push_back({"pos_emb", {context_.sequence, d}, Init::normal, config_.embedding_sd, false, -1});
  for (int l = 0; l < config_.n_layer; ++l) {
    const std::string at = "layer." + std::to_string(l) + ".";
    all.push_back({at + "ln1.weight", {d}, Init::ones, 0, false, l});
    all.push_back({at + "ln1.bias", {d}, Init::zeros, 0, false, l});
    all.push_back(matrix(at + "attn.qkv", {checked_product({3, d}), d}, sd, true, l));
    all.push_back(matrix(at + "attn.proj", {d, d}, residual_sd, true, l));
    all.push_back({at + "ln2.weight", {d}, Init::ones, 0, false, l});
    all.push_back({at + "ln2.bias", {d}, Init::zeros, 0, false, l});
    all.push_back(matrix(at + "mlp.up", {checked_product({4, d}), d}, sd, true, l));
    all.push_back(matrix(at + "mlp.down", {d, checked_product({4, d})}, residual_sd, true, l));
  }
  all.push_back({"ln_f.weight", {d}, Init::ones, 0, false, -1});
  all.push_back({"ln_f.bias", {d}, Init::zeros, 0, false, -1});
  if (!tied()) all.push_back(matrix("head", {context_.vocabulary, d}, sd, false, -1));
  return all;
}

void Gpt::forward(Graph& g) const {
  Value x = add_positions(g, embedding(g, "tok_emb"), "pos_emb");
  g.expose("resid_pre", x);
  for (std::int64_t l = 0; l < config_.n_layer; ++l) {
    const std::string at = "layer." + std::to_string(l) + ".";
    const Value a = layer_norm(g, x, at + "ln1.weight", at + "ln1.bias");
    const Value o = causal_attention(g, linear(g, a, at + "attn.qkv"), config_.n_head);
    x = add(g, x, linear(g, o, at + "attn.proj"));
    g.expose(at + "resid_mid", x);
    const Value m = layer_norm(g, x, at + "ln2.weight", at + "ln2.bias");
    x = add(g, x, linear(g, gelu(g, linear(g, m, at + "mlp.up")), at + "mlp.down"));
    g.expose(at + "resid_post", x);
  }
  head_cross_entropy(g, layer_norm(g, x, "ln_f.weight", "ln_f.bias"), tied() ? "tok_emb" : "head");
}

}  // namespace khost::gpt
