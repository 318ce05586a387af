#pragma once

#include <cstdint>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// After training: zero alpha_k for k >= keep in every matrix and evaluate the loss again (paper 85, phase B). The share is
// (L(keep) - L(K)) / (L(2) - L(K)): exchangeable dimensions would give (K - keep) / (K - 2).
class Ablation : public khost::Probe {
 public:
  struct Config {
    std::vector<std::int64_t> keep{64, 32, 20, 8, 4, 2};
    static void fields(auto& f) { f("keep", &Config::keep).at_least(0).doc("how many leading dims stay; at most K"); }
  };

  explicit Ablation(const Config& config) : config_(config) {}
  static void declare(khost::Signals& s, const Config& config);
  void begin(const khost::TrialInfo& trial) override;
  void conclude(khost::Trial& trial) override;

 private:
  Config config_;
};
