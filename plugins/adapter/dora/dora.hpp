#pragma once

#include "../lora/lora.hpp"

// Magnitude and direction apart (Liu et al. 2024): row i of W + dW is magnitude_i V_i / ||V_i||, V = W + s B A. The magnitude [m]
// begins at the norms of W's rows, so that dW is 0. Rows of W are what a linear map's outputs are made by.
class Dora final : public khost::Adapter {
 public:
  struct Config {
    double alpha = 16;
    std::string scaling = "lora", norm = "constant";
    static void fields(auto& f) {
      f("alpha", &Config::alpha).required().at_least(0).doc("what B A is scaled by, beside K");
      f("scaling", &Config::scaling).choices({"lora", "rslora"}).doc("lora: alpha / K; rslora: alpha / sqrt(K)");
      f("norm", &Config::norm)
          .choices({"constant", "exact"})
          .doc("constant: no gradient passes through ||V_i||, as in the paper's section 4.3 and PEFT; exact: it does");
    }
  };

  explicit Dora(const Config& config) : lora_({config.alpha, config.scaling}), exact_(config.norm == "exact") {}

  void tensors(khost::AdapterTensors& t, const khost::AdaptedTo& W) const override;
  khost::Value linear(khost::Graph& g, khost::Value x, khost::Value y, const khost::AdaptedTo& own) const override;
  khost::Value lookup(khost::Graph& g, khost::Value e, const khost::AdaptedTo& own) const override;
  void difference(std::span<const std::span<const float>> tensors, std::span<const float> W, const khost::AdaptedTo& own,
                  std::span<double> dW) const override;

 private:
  khost::Value scaled(khost::Graph& g, khost::Value y, bool by_token, const khost::AdaptedTo& own) const;

  Lora lora_;
  bool exact_;
};
