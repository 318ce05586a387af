#pragma once

#include <cstdint>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// cos(g_t-1, g_t) of alpha's gradients at consecutive steps (paper 88): per matrix and averaged, and of all matrices' gradients
// as one vector. A cosine with a zero vector is missing. Nothing is allocated after the first step.
class GradientCosine : public khost::Probe {
 public:
  struct Config {};
  explicit GradientCosine(const Config&) {}
  static void declare(khost::Signals& s, const Config&);
  void null(khost::NullDraw& draw) override;
  void begin(const khost::TrialInfo& trial) override;
  void observe(const khost::Step& step) override;
  void conclude(khost::Trial& trial) override;
  void state(khost::State& s) override { s(last_, mean_, pooled_, least_); }

 private:
  struct Last {
    std::vector<float> gradient;
    double squares = 0;  // its norm's
    void state(khost::State& s) { s(gradient, squares); }
  };
  std::vector<Last> last_;     // per matrix with an adapter
  khost::Mean mean_, pooled_;  // over steps
  double least_ = khost::missing;
};
