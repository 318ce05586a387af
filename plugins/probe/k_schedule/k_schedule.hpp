#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// K as a staircase over the steps (paper 81): all adapters begin at ranks[0] and change to ranks[i + 1] at step
// floor(at[i] * steps). Alphas of dims that stay are kept; new ones begin at 0.
class KSchedule : public khost::Policy {
 public:
  struct Config {
    std::vector<std::int64_t> ranks{2, 4, 8, 16};
    std::vector<double> at{0.25, 0.5, 0.75};
    std::string optimizer_state = "reset";
    static void fields(auto& f) {
      f("ranks", &Config::ranks).at_least(1).doc("K of all adapters, one after the other; at most the adapter's rank");
      f("at", &Config::at).doc("when K changes, as shares of the steps: one fewer than ranks, increasing, between 0 and 1");
      f("optimizer_state", &Config::optimizer_state)
          .choices({"reset", "keep"})
          .doc("at each change: the optimizer forgets its moments, or keeps those of the dims that stay");
    }
  };

  explicit KSchedule(const Config& config);
  static void declare(khost::Signals& s, const Config& config);
  void begin(const khost::TrialInfo& trial) override;
  void before_step(khost::StepPlan& plan) override;
  void conclude(khost::Trial& trial) override;
  void state(khost::State&) override {}  // nothing is gathered from step to step

 private:
  Config config_;
  std::vector<std::int64_t> starts_;  // the first step of each rank
};
