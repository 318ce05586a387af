#include "weight_rank.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "khost/nulls.hpp"
#include "khost/spectral.hpp"

namespace {

// "attn.qkv" of "layer.0.attn.qkv"; a name outside the layers is its own kind.
std::string kind_of(const khost::AdaptedMatrix& m) {
  const std::string prefix = "layer." + std::to_string(m.layer) + ".";
  return m.layer >= 0 && m.name.starts_with(prefix) ? m.name.substr(prefix.size()) : m.name;
}

}  // namespace

void WeightRank::declare(khost::Signals& s, const Config&) {
  s.need("weights", khost::at({0}));
  s.emit("er/<name>", "dims", "exp H(sigma) of one matrix of the base");
  s.emit("er/kind/<kind>", "dims", "mean over the matrices of a kind: attn.qkv, attn.proj, mlp.up, mlp.down, tok_emb");
  s.emit("flatness/kind/<kind>", "1", "exp H(sigma) / min(m, n), mean over the matrices of a kind; 1: all singular values equal");
  s.null("*", "independent Gaussian entries of one scale in each matrix");
}

void WeightRank::null(khost::NullDraw& draw) {
  for (const khost::AdaptedMatrix& matrix : draw.trial().matrices) {
    const auto [n, m] = std::minmax(matrix.rows, matrix.cols);  // a transposed matrix has the same spectrum
    const std::string name = "iid " + std::to_string(m) + "x" + std::to_string(n);
    const auto& rank = draw.pick(name, 250, [m = m, n = n](khost::Random& random) {
      return std::vector{khost::effective_rank(khost::nulls::iid_spectrum(m, n, random))};
    });
    ranks_.push_back(rank.front());
  }
  report(draw, draw.trial());
}

void WeightRank::observe(const khost::Step& step) {
  std::vector<khost::ArrayView> weights;
  for (const khost::AdaptedMatrix& m : step.trial().matrices) weights.push_back(step["weights"].at(m.name));
  for (const std::vector<double>& sigma : khost::spectra(weights)) ranks_.push_back(khost::effective_rank(sigma));
}

void WeightRank::conclude(khost::Trial& trial) { report(trial, trial.info()); }

void WeightRank::report(khost::Records& records, const khost::TrialInfo& trial) const {
  struct Kind {
    khost::Mean rank, flatness;
  };
  std::map<std::string, Kind> kinds;
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    const khost::AdaptedMatrix& m = trial.matrices[i];
    records.record("er/" + m.name, ranks_[i]);
    Kind& kind = kinds[kind_of(m)];
    kind.rank.add(ranks_[i]);
    kind.flatness.add(ranks_[i] / static_cast<double>(std::min(m.rows, m.cols)));
  }
  for (const auto& [name, kind] : kinds) {
    records.record("er/kind/" + name, kind.rank.value());
    records.record("flatness/kind/" + name, kind.flatness.value());
  }
}
