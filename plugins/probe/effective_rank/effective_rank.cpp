#include "effective_rank.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "khost/spectral.hpp"

void EffectiveRank::Mean::add(double value) {
  if (!std::isnan(value)) sum += value, ++n;
}

void EffectiveRank::declare(khost::Signals& s, const Config& config) {
  s.need("alpha.grad", khost::every(config.every));
  s.emit("in_basis", "dims", "exp of the entropy of |dL/dalpha|, mean over matrices; of the trial: mean over steps");
  s.emit("in_basis/layer<l>", "dims", "the same over one layer's matrices");
  s.emit("in_basis/embedding", "dims", "the same for matrices outside the layers");
}

void EffectiveRank::begin(const khost::TrialInfo& trial) {
  int count = 0;
  for (const khost::AdaptedMatrix& m : trial.matrices) {
    layers_.push_back(m.layer);
    count = std::max(count, m.layer + 1);
  }
  by_layer_.resize(static_cast<std::size_t>(count));
}

void EffectiveRank::observe(const khost::Step& step) {
  Mean now, embedding;
  std::vector<Mean> layers(by_layer_.size());
  std::vector<double> sigma;
  std::size_t i = 0;
  for (const auto& [name, array] : step["alpha.grad"]) {
    sigma.clear();
    for (const float g : array.f32()) sigma.push_back(std::abs(static_cast<double>(g)));
    const double rank = khost::effective_rank(sigma);
    now.add(rank);
    const int layer = layers_[i++];
    (layer < 0 ? embedding : layers[static_cast<std::size_t>(layer)]).add(rank);
  }
  step.record("in_basis", now.value());
  all_.add(now.value());
  embedding_.add(embedding.value());
  for (std::size_t l = 0; l < layers.size(); ++l) by_layer_[l].add(layers[l].value());
}

void EffectiveRank::conclude(khost::Trial& trial) {
  trial.record("in_basis", all_.value());
  for (std::size_t l = 0; l < by_layer_.size(); ++l) trial.record("in_basis/layer" + std::to_string(l), by_layer_[l].value());
  trial.record("in_basis/embedding", embedding_.value());
}
