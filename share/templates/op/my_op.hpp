#pragma once

#include <cmath>

#include "khost/draft/op.hpp"
#include "khost/graph.hpp"
#include "khost/parallel.hpp"
#include "khost/plugin.hpp"

// y = tanh(x), element by element; dx = (1 - y^2) dy.
class Tanh final : public khost::Op {
 public:
  std::string_view name() const override { return "tanh"; }
  std::int64_t columns(const khost::OpShapes& s) const override { return s.columns(); }  // of y: as many as x has

  void plan(khost::OpPlan& p) override {
    if (p.needs_gradient()) p.keep(0);  // backward reads x
  }

  void forward(khost::OpStep& s) override {
    each(s, [x = s.in(), y = s.out()](std::int64_t i) { y[i] = std::tanh(x[i]); });
  }

  void backward(khost::OpStep& s) override {
    float* dx = s.input_grad();
    if (!dx) return;                    // nobody asks
    const bool add = s.add_to_input();  // another operation has written there before
    each(s, [=, x = s.in(), dy = s.output_grad()](std::int64_t i) {
      const float y = std::tanh(x[i]), slope = (1 - y * y) * dy[i];
      dx[i] = add ? dx[i] + slope : slope;
    });
  }

  // The definition and nothing else, in double: what gradients are held against.
  void in_double(khost::OpDoubles& d) const override {
    for (std::size_t i = 0; i < d.out.size(); ++i) d.out[i] = std::tanh((*d.in[0])[i]);
  }

 private:
  template <class F>
  static void each(const khost::OpStep& s, F&& f) {
    khost::parallel_for(s.size(), 4096, [&](std::int64_t i, std::int64_t end) {
      for (; i < end; ++i) f(i);
    });
  }
};

inline khost::Value tanh(khost::Graph& g, khost::Value x) { return g.apply(std::make_unique<Tanh>(), {x}); }

// A small model to use it in: one block, tanh between its two linear maps.
class MyOp final : public khost::Model {
 public:
  struct Config {
    std::int64_t d_model = 32;
    static void fields(auto& f) { f("d_model", &Config::d_model).at_least(1).doc("width of the residual stream"); }
  };

  MyOp(const Config& config, const khost::ModelContext& context) : d_(config.d_model), vocabulary_(context.vocabulary) {}

  std::vector<khost::Parameter> parameters() const override {
    return {{"tok_emb", {vocabulary_, d_}, khost::Init::normal, 0.02, true},
            {"norm.weight", {d_}, khost::Init::ones},
            {"up", {khost::checked_product({4, d_}), d_}, khost::Init::normal, 0.02, true, 0},
            {"down", {d_, khost::checked_product({4, d_})}, khost::Init::normal, 0.02, true, 0}};
  }

  void forward(khost::Graph& g) const override {
    const khost::Value x = embedding(g, "tok_emb");
    const khost::Value up = tanh(g, linear(g, rms_norm(g, x, "norm.weight"), "up"));
    head_cross_entropy(g, add(g, x, linear(g, up, "down")), "tok_emb");
  }

 private:
  std::int64_t d_, vocabulary_;
};
