#pragma once

#include <cstdint>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// True effective rank (paper 86): exp(-sum p ln p), p = sigma / sum sigma (Roy & Vetterli 2007), of the singular values of
// G = dL/dW_eff itself, of every adaptable matrix, adapted or not. G has at most as many non-zero ones as the batch has tokens.
class TrueEffectiveRank : public khost::Probe {
 public:
  struct Config {
    std::vector<std::int64_t> steps{1, 5, 10, 20, 40};
    static void fields(auto& f) {
      f("steps", &Config::steps).at_least(1).doc("at which steps; step 1 sees the gradient before any update");
    }
  };

  explicit TrueEffectiveRank(const Config& config) : steps_(config.steps) {}
  static void declare(khost::Signals& s, const Config& config);
  void null(khost::NullDraw& draw) override;
  void begin(const khost::TrialInfo& trial) override;
  void observe(const khost::Step& step) override;
  void conclude(khost::Trial& trial) override;
  void state(khost::State& s) override { s(measured_); }

 private:
  struct Figures {
    std::int64_t step = 0;      // from 1
    std::vector<double> ranks;  // of each of TrialInfo::matrices
    khost::Mean squared, stable;
    void add(double rank, double rank_squared, double rank_stable);
    void state(khost::State& s) { s(step, ranks, squared, stable); }
  };
  void report(khost::Records& records, const khost::TrialInfo& trial) const;
  std::vector<std::int64_t> steps_;
  std::vector<Figures> measured_;
};
