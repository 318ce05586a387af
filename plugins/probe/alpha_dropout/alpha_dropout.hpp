#pragma once

#include <string>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// Dropout on alpha (paper 85, phase C): at each step each alpha_k is dropped with probability `rate`. Either for that step alone,
// with the kept ones scaled by 1 / (1 - rate) (Srivastava et al. 2014), or in the parameter itself: what was learned is lost, as
// where a mask is multiplied onto the stored alpha. Acts on training steps only: final and held-out losses are measured without
// it.
class AlphaDropout : public khost::Policy {
 public:
  struct Config {
    double rate = 0.1;
    std::string mode = "scale";
    static void fields(auto& f) {
      f("rate", &Config::rate).range(0, 0.999).doc("probability of dropping a dim at a step");
      f("mode", &Config::mode)
          .choices({"scale", "reset"})
          .doc(
              "scale: a dropped alpha counts as 0 in this step, the others as alpha / (1 - rate); reset: the stored alpha is set "
              "to 0");
    }
  };

  explicit AlphaDropout(const Config& config) : rate_(config.rate), resets_(config.mode == "reset") {}
  static void declare(khost::Signals& s, const Config& config) { s.modify(config.mode == "reset" ? "alpha" : "alpha.scale"); }
  void before_step(khost::StepPlan& plan) override;
  void state(khost::State&) override {}  // nothing is gathered from step to step

 private:
  double rate_;
  bool resets_;
};
