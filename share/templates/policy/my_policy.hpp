#pragma once

#include "khost/plugin.hpp"

// Gaussian dropout (Srivastava et al. 2014, section 10): at each step every alpha is multiplied by a draw of mean 1.
class MyPolicy final : public khost::Policy {
 public:
  struct Config {
    double sd = 0.1;
    static void fields(auto& f) { f("sd", &Config::sd).range(0, 10).doc("standard deviation of the multipliers"); }
  };

  explicit MyPolicy(const Config& config) : sd_(config.sd) {}

  static void declare(khost::Signals& s, const Config&) { s.modify("alpha.scale"); }

  void before_step(khost::StepPlan& plan) override {
    for (std::size_t matrix = 0; matrix < plan.trial().matrices.size(); ++matrix)
      for (float& scale : plan.alpha_scale(matrix)) scale *= static_cast<float>(1 + sd_ * plan.random().normal());
  }

  // Nothing is gathered from step to step; the host keeps the policy's random stream.
  void state(khost::State&) override {}

 private:
  double sd_;
};
