#include "true_effective_rank.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "khost/spectral.hpp"

void TrueEffectiveRank::declare(khost::Signals& s, const Config& config) {
  s.need("weight.grad", khost::at(khost::indices_of_steps(config.steps)));
  s.emit("step<s>/mean", "dims", "exp H(sigma) of dL/dW at step s (from 1), mean over matrices");
  s.emit("step<s>/max", "dims", "the largest of the matrices");
  s.emit("step<s>/layer<l>", "dims", "mean of layer l's matrices");
  s.emit("step<s>/matrix/<name>", "dims", "of one matrix");
  s.emit("step<s>/squared_mean", "dims", "exp H(sigma^2) of dL/dW at step s, mean over matrices");
  s.emit("step<s>/stable_mean", "dims", "sum sigma^2 / max sigma^2 of dL/dW at step s, mean over matrices");
}

void TrueEffectiveRank::begin(const khost::TrialInfo& trial) { khost::require_steps(trial, steps_); }

void TrueEffectiveRank::observe(const khost::Step& step) {
  std::vector<khost::ArrayView> gradients;
  for (const khost::AdaptedMatrix& m : step.trial().matrices) gradients.push_back(step["weight.grad"].at(m.name));
  Figures& figures = measured_.emplace_back();
  figures.step = step.index() + 1;
  for (const std::vector<double>& sigma : khost::spectra(gradients)) {
    figures.ranks.push_back(khost::effective_rank(sigma));
    figures.squared.add(khost::effective_rank_squared(sigma));
    figures.stable.add(khost::stable_rank(sigma));
  }
}

void TrueEffectiveRank::conclude(khost::Trial& trial) {
  const auto& matrices = trial.info().matrices;
  for (const Figures& figures : measured_) {
    const std::string at = "step" + std::to_string(figures.step) + "/";
    khost::Mean mean;
    double most = khost::missing;
    std::vector<khost::Mean> layers;
    for (std::size_t i = 0; i < matrices.size(); ++i) {
      const double rank = figures.ranks[i];
      trial.record(at + "matrix/" + matrices[i].name, rank);
      mean.add(rank);
      most = std::fmax(most, rank);  // of a number and a missing value, the number
      if (matrices[i].layer < 0) continue;
      const auto layer = static_cast<std::size_t>(matrices[i].layer);
      if (layers.size() <= layer) layers.resize(layer + 1);
      layers[layer].add(rank);
    }
    trial.record(at + "mean", mean.value());
    trial.record(at + "max", most);
    for (std::size_t l = 0; l < layers.size(); ++l) trial.record(at + "layer" + std::to_string(l), layers[l].value());
    trial.record(at + "squared_mean", figures.squared.value());
    trial.record(at + "stable_mean", figures.stable.value());
  }
}
