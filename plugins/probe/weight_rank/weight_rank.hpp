#pragma once

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// The spectra of the base's own weights (paper 83): exp(-sum p ln p), p = sigma / sum sigma (Roy & Vetterli 2007), of every
// adaptable matrix before any update, and the mean over the matrices of a kind.
class WeightRank : public khost::Probe {
 public:
  struct Config {};
  explicit WeightRank(const Config&) {}
  static void declare(khost::Signals& s, const Config&);
  void null(khost::NullDraw& draw) override;
  void observe(const khost::Step& step) override;
  void conclude(khost::Trial& trial) override;
  void state(khost::State& s) override { s(ranks_); }

 private:
  void report(khost::Records& records, const khost::TrialInfo& trial) const;

  std::vector<double> ranks_;  // of each of TrialInfo::matrices
};
