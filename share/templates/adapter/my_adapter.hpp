#pragma once

#include "khost/plugin.hpp"

// dW = scale B A of a matrix W [m, n]: A [K, n] begins at random, B [m, K] at 0, so that dW does.
class MyAdapter final : public khost::Adapter {
 public:
  struct Config {
    double scale = 1;
    static void fields(auto& f) { f("scale", &Config::scale).doc("dW = scale B A"); }
  };

  explicit MyAdapter(const Config& config) : scale_(static_cast<float>(config.scale)) {}

  void tensors(khost::AdapterTensors& t, const khost::AdaptedTo& W) const override {
    t.train("A", {W.K, W.n}, [](std::span<float> A, std::span<const float>, khost::Random& random) { random.normal(A, 0.02); });
    t.train("B", {W.m, W.K});
  }

  // x [B*T, n], y = x W' [B*T, m]  ->  x (W + dW)'
  khost::Value linear(khost::Graph& g, khost::Value x, khost::Value y, const khost::AdaptedTo& own) const override {
    const khost::Value through = khost::linear(g, khost::linear(g, x, own["A"]), own["B"]);
    return add(g, y, khost::scale(g, through, scale_));
  }

  // e [B*T, n], the rows of W that the tokens picked  ->  those of W + dW
  khost::Value lookup(khost::Graph& g, khost::Value e, const khost::AdaptedTo& own) const override {
    return add(g, e, khost::scale(g, matmul(g, embedding(g, own["B"]), own["A"]), scale_));
  }

  // dW [m, n] of the tensors' values, in the order of tensors()
  void difference(std::span<const std::span<const float>> tensors, std::span<const float>, const khost::AdaptedTo& own,
                  std::span<double> dW) const override {
    const auto n = static_cast<std::size_t>(own.n), K = static_cast<std::size_t>(own.K);
    for (std::size_t i = 0; i < dW.size(); ++i)
      for (std::size_t k = 0; k < K; ++k)
        dW[i] += static_cast<double>(scale_) * static_cast<double>(tensors[1][i / n * K + k]) *
                 static_cast<double>(tensors[0][k * n + i % n]);
  }

 private:
  float scale_;
};
