#pragma once

#include <cstdint>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// In-basis effective rank of the gradient (paper 83): exp(-sum p ln p), p = sigma / sum sigma (Roy & Vetterli 2007), of
// U diag(g) V'. U and V have orthonormal columns, so sigma = |dL/dalpha| and no decomposition is needed. Computed per step
// and matrix; then averaged over matrices, then over steps: averaging |g| first would drive it towards K.
class EffectiveRank : public khost::Probe {
 public:
  struct Config {
    std::int64_t every = 1;
    static void fields(auto& f) { f("every", &Config::every).at_least(1).doc("measure at every n-th step, from the first"); }
  };

  explicit EffectiveRank(const Config&) {}
  static void declare(khost::Signals& s, const Config& config);
  void begin(const khost::TrialInfo& trial) override;
  void observe(const khost::Step& step) override;
  void conclude(khost::Trial& trial) override;

 private:
  struct Mean {
    double sum = 0;
    int n = 0;
    void add(double value);
    double value() const { return n ? sum / n : khost::missing; }
  };
  std::vector<int> layers_;  // of each matrix; -1: the embedding
  Mean all_, embedding_;
  std::vector<Mean> by_layer_;
};
