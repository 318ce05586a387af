#pragma once

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// Dropout on alpha (paper 85, phase C): at each step each alpha_k is dropped with probability `rate`, and the kept ones are
// scaled by 1 / (1 - rate). Acts on training steps only: final and held-out losses are measured without it.
class AlphaDropout : public khost::Policy {
 public:
  struct Config {
    double rate = 0.1;
    static void fields(auto& f) { f("rate", &Config::rate).range(0, 0.999).doc("probability of dropping a dim at a step"); }
  };

  explicit AlphaDropout(const Config& config) : rate_(config.rate) {}
  static void declare(khost::Signals& s, const Config&) { s.modify("alpha.scale"); }
  void before_step(khost::StepPlan& plan) override;
  void state(khost::State&) override {}  // nothing is gathered from step to step

 private:
  double rate_;
};
