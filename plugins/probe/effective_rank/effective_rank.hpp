#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// In-basis effective rank of the gradient (paper 83): exp(-sum p ln p), p = sigma / sum sigma (Roy & Vetterli 2007), of
// U dL/dC V'. U and V have orthonormal columns, so sigma is |dL/dalpha| of a diagonal core, where no decomposition is needed, and
// the singular values of dL/dC of a block. Factors U, alpha, V that train do not stay orthonormal: refused. Computed per step and
// matrix; then averaged over matrices, then over steps: averaging |g| first would drive it towards K. Matrices without an adapter
// have no gradient of alpha and do not count.
class EffectiveRank : public khost::Probe {
 public:
  struct Config {
    std::int64_t every = 1;
    static void fields(auto& f) { f("every", &Config::every).at_least(1).doc("measure at every n-th step, from the first"); }
  };

  explicit EffectiveRank(const Config& config) : every_(config.every) {}
  static void declare(khost::Signals& s, const Config& config);
  void null(khost::NullDraw& draw) override;
  void begin(const khost::TrialInfo& trial) override;
  void observe(const khost::Step& step) override;
  void conclude(khost::Trial& trial) override;
  void state(khost::State& s) override {
    s(all_, embedding_, per_K_, squared_, participation_, stable_, by_layer_, first_, last_, begun_);
  }

 private:
  struct Place {
    int layer = -1;  // -1: the embedding
    std::int64_t K = 0;
  };
  double take(const std::vector<Place>& places, const std::vector<std::vector<double>>& spectra);  // of a step: in_basis
  void report(khost::Records& records) const;

  std::int64_t every_;
  std::map<std::string, Place, std::less<>> places_;  // of the matrices with an adapter, by name
  // Over steps.
  khost::Mean all_, embedding_, per_K_, squared_, participation_, stable_;
  std::vector<khost::Mean> by_layer_;
  double first_ = khost::missing, last_ = khost::missing;  // of the first and the last measured step
  bool begun_ = false;
};
