#pragma once

#include <string>

#include "khost/adapter.hpp"

// dW = s B A: B [m, K] begins at 0, A [K, n] at random (Hu et al. 2021). The scale s is alpha / K, or alpha / sqrt(K)
// (Kalajdzievski 2023, rank-stabilised).
class Lora : public khost::Adapter {
 public:
  struct Config {
    double alpha = 16;
    std::string scaling = "lora";
    static void fields(auto& f) {
      f("alpha", &Config::alpha).required().at_least(0).doc("what B A is scaled by, beside K");
      f("scaling", &Config::scaling).choices({"lora", "rslora"}).doc("lora: alpha / K; rslora: alpha / sqrt(K)");
    }
  };

  explicit Lora(const Config& config) : config_(config) {}

  void tensors(khost::AdapterTensors& t, const khost::AdaptedTo& W) const override;
  khost::Value linear(khost::Graph& g, khost::Value x, khost::Value y, const khost::AdaptedTo& own) const override;
  khost::Value lookup(khost::Graph& g, khost::Value e, const khost::AdaptedTo& own) const override;
  void difference(std::span<const std::span<const float>> tensors, std::span<const float> W, const khost::AdaptedTo& own,
                  std::span<double> dW) const override;

  double scale(const khost::AdaptedTo& own) const;

 private:
  Config config_;
};
