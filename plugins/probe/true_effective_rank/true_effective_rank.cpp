#include "true_effective_rank.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "khost/nulls.hpp"
#include "khost/spectral.hpp"

void TrueEffectiveRank::declare(khost::Signals& s, const Config& config) {
  s.need("weight.grad", khost::at(khost::indices_of_steps(config.steps)));
  s.emit("step<s>/mean", "dims", "exp H(sigma) of dL/dW at step s (from 1), mean over matrices");
  s.emit("step<s>/max", "dims", "the largest of the matrices");
  s.emit("step<s>/layer<l>", "dims", "mean of layer l's matrices");
  s.emit("step<s>/matrix/<name>", "dims", "of one matrix");
  s.emit("step<s>/squared_mean", "dims", "exp H(sigma^2) of dL/dW at step s, mean over matrices");
  s.emit("step<s>/stable_mean", "dims", "sum sigma^2 / max sigma^2 of dL/dW at step s, mean over matrices");
  s.null("*",
         "G = A'B of independent Gaussian A, B with a row for each token of the batch; another G at every step, or on a "
         "fixed batch one");
}

void TrueEffectiveRank::null(khost::NullDraw& draw) {
  const khost::TrialInfo& trial = draw.trial();
  begin(trial);
  const std::int64_t tokens = khost::checked_product({trial.batch, trial.sequence});
  for (const std::int64_t step : steps_) {
    if (!trial.fresh && !measured_.empty()) {
      measured_.push_back(measured_.front());
      measured_.back().step = step;
      continue;
    }
    Figures& figures = measured_.emplace_back();
    figures.step = step;
    for (const khost::AdaptedMatrix& matrix : trial.matrices) {
      const auto [n, m] = std::minmax(matrix.rows, matrix.cols);  // a transposed matrix has the same spectrum
      const std::string name = "spectrum " + std::to_string(m) + "x" + std::to_string(n) + " of " + std::to_string(tokens);
      const auto& ranks = draw.pick(name, 250, [tokens, m = m, n = n](khost::Random& random) {
        const std::vector<double> sigma = khost::nulls::token_product_spectrum(tokens, m, n, random);
        return std::vector{khost::effective_rank(sigma), khost::effective_rank_squared(sigma), khost::stable_rank(sigma)};
      });
      figures.add(ranks[0], ranks[1], ranks[2]);
    }
  }
  report(draw, trial);
}

void TrueEffectiveRank::Figures::add(double rank, double rank_squared, double rank_stable) {
  ranks.push_back(rank);
  squared.add(rank_squared);
  stable.add(rank_stable);
}

void TrueEffectiveRank::begin(const khost::TrialInfo& trial) { khost::require_steps(trial, steps_); }

void TrueEffectiveRank::observe(const khost::Step& step) {
  std::vector<khost::ArrayView> gradients;
  for (const khost::AdaptedMatrix& m : step.trial().matrices) gradients.push_back(step["weight.grad"].at(m.name));
  Figures& figures = measured_.emplace_back();
  figures.step = step.index() + 1;
  for (const std::vector<double>& sigma : khost::spectra(gradients))
    figures.add(khost::effective_rank(sigma), khost::effective_rank_squared(sigma), khost::stable_rank(sigma));
}

void TrueEffectiveRank::conclude(khost::Trial& trial) { report(trial, trial.info()); }

void TrueEffectiveRank::report(khost::Records& records, const khost::TrialInfo& trial) const {
  const auto& matrices = trial.matrices;
  for (const Figures& figures : measured_) {
    const std::string at = "step" + std::to_string(figures.step) + "/";
    khost::Mean mean;
    double most = khost::missing;
    std::vector<khost::Mean> layers;
    for (std::size_t i = 0; i < matrices.size(); ++i) {
      const double rank = figures.ranks[i];
      records.record(at + "matrix/" + matrices[i].name, rank);
      mean.add(rank);
      most = std::fmax(most, rank);  // of a number and a missing value, the number
      if (matrices[i].layer < 0) continue;
      const auto layer = static_cast<std::size_t>(matrices[i].layer);
      if (layers.size() <= layer) layers.resize(layer + 1);
      layers[layer].add(rank);
    }
    records.record(at + "mean", mean.value());
    records.record(at + "max", most);
    for (std::size_t l = 0; l < layers.size(); ++l) records.record(at + "layer" + std::to_string(l), layers[l].value());
    records.record(at + "squared_mean", figures.squared.value());
    records.record(at + "stable_mean", figures.stable.value());
  }
}
