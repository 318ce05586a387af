#include "effective_rank.hpp"

#include <algorithm>
#include <cmath>

#include "khost/nulls.hpp"
#include "khost/spectral.hpp"

namespace {

// The singular values of each gradient: of dL/dalpha [K] their magnitudes, of dL/dC [K, K] by decomposition.
std::vector<std::vector<double>> spectra_of(const khost::Signal& gradient) {
  std::vector<std::vector<double>> out;
  std::vector<khost::ArrayView> blocks;
  for (const auto& [name, array] : gradient)
    if (array.shape.size() == 2)
      blocks.push_back(array);
    else
      for (auto& sigma = out.emplace_back(); const float g : array.f32()) sigma.push_back(std::abs(static_cast<double>(g)));
  return blocks.empty() ? out : khost::spectra(blocks);  // one kind of core an arm
}

}  // namespace

void EffectiveRank::declare(khost::Signals& s, const Config& config) {
  s.need("alpha.grad", khost::every(config.every));
  s.emit("in_basis", "dims", "exp H(sigma) of the core's gradient, mean over matrices; of the trial: mean over steps");
  s.emit("in_basis/layer<l>", "dims", "the same over one layer's matrices");
  s.emit("in_basis/embedding", "dims", "the same for matrices outside the layers");
  s.emit("in_basis/first", "dims", "in_basis at the first measured step");
  s.emit("in_basis/last", "dims", "in_basis at the last measured step");
  s.emit("in_basis/drift", "dims", "last - first");
  s.emit("in_basis/per_K", "1", "exp H(sigma) / K, mean over matrices, then over steps");
  s.emit("in_basis/spread", "dims", "the largest in_basis/layer<l> less the smallest");
  s.emit("in_basis_squared", "dims", "exp H(sigma^2) of the core's gradient, mean over matrices, then over steps");
  s.emit("participation_ratio", "dims", "(sum sigma^2)^2 / sum sigma^4, mean over matrices, then over steps");
  s.emit("stable_rank", "dims", "sum sigma^2 / max sigma^2, mean over matrices, then over steps");
  const char* model = "K independent Gaussian entries in every matrix (a block: K x K), of every step or of the one fixed batch";
  s.null_if_fresh("in_basis/drift", model);
  s.null("*", model);
}

void EffectiveRank::null(khost::NullDraw& draw) {
  begin(draw.trial());
  std::vector<Place> places;
  for (const khost::AdaptedMatrix& m : draw.trial().matrices)
    if (m.rank > 0) places.push_back({m.layer, m.rank});
  // One batch, one draw: all means over steps are those of any of them.
  const std::int64_t steps = draw.trial().fresh ? draw.trial().steps : std::min<std::int64_t>(1, draw.trial().steps);
  for (std::int64_t step = 0; step < steps; step += every_) {
    std::vector<std::vector<double>> spectra;
    for (const Place& place : places) spectra.push_back(khost::nulls::core_spectrum(place.K, draw));
    take(places, spectra);
  }
  report(draw);
}

void EffectiveRank::begin(const khost::TrialInfo& trial) {
  khost::has_block_core(trial);  // refuses what is neither that nor a diagonal
  if (trial.trains_factors)
    throw khost::Error(khost::ErrorKind::usage, "arm " + trial.arm +
                                                    " trains U and V: they do not stay orthonormal, so |dL/dalpha| are not the "
                                                    "gradient's singular values")
        .hint("use true_effective_rank there, or restrict the probe with \"arms\"");
  int layers = 0;
  for (const khost::AdaptedMatrix& m : trial.matrices) {
    layers = std::max(layers, m.layer + 1);
    if (m.rank > 0) places_[m.name] = {m.layer, m.rank};
  }
  by_layer_.resize(static_cast<std::size_t>(layers));
}

void EffectiveRank::observe(const khost::Step& step) {
  const khost::Signal& gradient = step["alpha.grad"];
  std::vector<Place> places;
  for (const auto& [name, array] : gradient) {
    const auto place = places_.find(name);
    if (place == places_.end())
      throw khost::Error(khost::ErrorKind::plugin, "alpha.grad has " + name + ", which carries no adapter");
    places.push_back(place->second);
  }
  step.record("in_basis", take(places, spectra_of(gradient)));
}

double EffectiveRank::take(const std::vector<Place>& places, const std::vector<std::vector<double>>& spectra) {
  khost::Mean now, embedding, per_K, squared, participation, stable;
  std::vector<khost::Mean> layers(by_layer_.size());
  for (std::size_t i = 0; i < spectra.size(); ++i) {
    const auto [layer, K] = places[i];
    const double rank = khost::effective_rank(spectra[i]);
    now.add(rank);
    (layer < 0 ? embedding : layers[static_cast<std::size_t>(layer)]).add(rank);
    per_K.add(rank / static_cast<double>(K));
    squared.add(khost::effective_rank_squared(spectra[i]));
    participation.add(khost::participation_ratio(spectra[i]));
    stable.add(khost::stable_rank(spectra[i]));
  }
  if (!begun_) first_ = now.value();
  begun_ = true;
  last_ = now.value();
  all_.add(now.value());
  embedding_.add(embedding.value());
  per_K_.add(per_K.value());
  squared_.add(squared.value());
  participation_.add(participation.value());
  stable_.add(stable.value());
  for (std::size_t l = 0; l < layers.size(); ++l) by_layer_[l].add(layers[l].value());
  return now.value();
}

void EffectiveRank::conclude(khost::Trial& trial) { report(trial); }

void EffectiveRank::report(khost::Records& records) const {
  records.record("in_basis", all_.value());
  double least = khost::missing, most = khost::missing;
  for (std::size_t l = 0; l < by_layer_.size(); ++l) {
    const double value = by_layer_[l].value();
    records.record("in_basis/layer" + std::to_string(l), value);
    least = std::fmin(least, value);  // of a number and a missing value, the number
    most = std::fmax(most, value);
  }
  records.record("in_basis/embedding", embedding_.value());
  records.record("in_basis/first", first_);
  records.record("in_basis/last", last_);
  records.record("in_basis/drift", last_ - first_);
  records.record("in_basis/per_K", per_K_.value());
  records.record("in_basis/spread", most - least);
  records.record("in_basis_squared", squared_.value());
  records.record("participation_ratio", participation_.value());
  records.record("stable_rank", stable_.value());
}
