// Draws of noise, and the mean they have.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "khost/probe.hpp"

struct Sample {
  double sum = 0, squares = 0;
  int n = 0;

  Sample() = default;
  Sample(const std::vector<double>& values) {
    for (const double v : values) add(v);
  }
  void add(double v) { sum += v, squares += v * v, ++n; }
  double value() const { return sum / n; }
  double sd() const { return std::sqrt(squares / n - value() * value()); }
  double error() const { return sd() / std::sqrt(n); }
};

// Within five standard errors, and `digits` for a constant that is itself rounded.
inline void check_mean(const Sample& sample, double expected, double digits = 0) {
  CAPTURE(sample.value());
  CAPTURE(sample.error());
  CAPTURE(expected);
  CHECK(sample.n > 1);
  CHECK(std::abs(sample.value() - expected) < 5 * sample.error() + digits);
}

// The papers' trials: 33 matrices, 40 steps on 127 tokens.
inline khost::TrialInfo papers_trial(std::int64_t K) {
  khost::TrialInfo trial;
  trial.arm = "arm", trial.core = "diagonal", trial.steps = 40, trial.batch = 1, trial.sequence = 127;
  trial.matrices.push_back({"tok_emb", 15007, 256, K, -1});
  for (int l = 0; l < 8; ++l) {
    const std::string layer = "layer." + std::to_string(l);
    trial.matrices.push_back({layer + ".attn.qkv", 768, 256, K, l});
    trial.matrices.push_back({layer + ".attn.proj", 256, 256, K, l});
    trial.matrices.push_back({layer + ".mlp.up", 1024, 256, K, l});
    trial.matrices.push_back({layer + ".mlp.down", 256, 1024, K, l});
  }
  return trial;
}
