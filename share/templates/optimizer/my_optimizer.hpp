#pragma once

#include <cmath>

#include "khost/plugin.hpp"

// Normalised momentum: each tensor moves by lr, in the direction of the momentum of its gradients.
class MyOptimizer final : public khost::Optimizer {
 public:
  struct Config {
    double lr = 5e-3, momentum = 0.9;
    static void fields(auto& f) {
      f("lr", &Config::lr).range(0, 1000).doc("length of a step, times the square root of the tensor's size");
      f("momentum", &Config::momentum).range(0, 0.999999).doc("decay of the momentum");
    }
  };

  explicit MyOptimizer(const Config& config) : config_(config) {}

  int slots() const override { return 1; }  // u.state: one array as large as u.value, 0 at first

  void update(const khost::Update& u) const override {
    double squares = 0;
    for (std::size_t i = 0; i < u.value.size(); ++i) {
      u.state[i] = static_cast<float>(config_.momentum * u.state[i] + (1 - config_.momentum) * u.gradient[i]);
      squares += static_cast<double>(u.state[i]) * u.state[i];
    }
    if (squares == 0) return;  // nowhere to go
    const auto step = static_cast<float>(config_.lr * std::sqrt(static_cast<double>(u.value.size()) / squares));
    for (std::size_t i = 0; i < u.value.size(); ++i) u.value[i] -= step * u.state[i];
  }

 private:
  Config config_;
};
