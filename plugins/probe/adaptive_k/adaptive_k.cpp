#include "adaptive_k.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "khost/nulls.hpp"
#include "khost/spectral.hpp"

using khost::AdaptedMatrix;
using khost::Error;
using khost::ErrorKind;

void AdaptiveK::declare(khost::Signals& s, const Config& config) {
  const auto slash = config.from.find('/');
  if (!config.from.empty() && (slash == 0 || slash == std::string::npos || slash + 1 == config.from.size() ||
                               config.from.find('/', slash + 1) != std::string::npos))
    throw Error(ErrorKind::usage, "\"from\" is \"" + config.from + "\", which is not of the form ARM/PROBE")
        .hint("name an arm and its effective_rank probe: \"uniform_32/effective_rank\"");
  s.read((config.from.empty() ? "<arm>/<probe>" : config.from) + "/in_basis/layer<l>");
  s.modify("adapter.rank");
  s.emit("layer<l>/k", "dims", "K of the layer's matrices");
  s.emit("mean_layer_k", "dims", "mean K over the layers");
  s.emit("mean_k", "dims", "adapter parameters / sum of (m + n) over all adapted matrices");
  s.null("*", "the upstream gradients are independent Gaussian entries, of the dims that the manifest gives this arm");
}

void AdaptiveK::null(khost::NullDraw& draw) {
  khost::TrialInfo trial = draw.trial();
  std::vector<Layer> all = layers(trial);
  for (Layer& layer : all) {
    khost::Mean rank;
    for (const std::size_t i : layer.matrices)
      for (std::int64_t step = 0; step < trial.steps; ++step)
        rank.add(khost::effective_rank(khost::nulls::core_spectrum(trial.matrices[i].rank, draw)));
    layer.K = dims(rank.value(), layer);
  }
  assign(all, draw.random());
  for (const Layer& layer : all) {
    if (layer.K > layer.limit) return;  // a trial would fail, and have no records
    for (const std::size_t i : layer.matrices) trial.matrices[i].rank = layer.K;
  }
  report(draw, trial);
}

std::vector<AdaptiveK::Layer> AdaptiveK::layers(const khost::TrialInfo& trial) {
  std::map<int, Layer> found;
  for (std::size_t i = 0; i < trial.matrices.size(); ++i) {
    const AdaptedMatrix& m = trial.matrices[i];
    if (m.layer < 0 || m.rank == 0) continue;
    Layer& layer = found[m.layer];
    const std::int64_t limit = std::min(m.rows, m.cols);
    layer.limit = layer.matrices.empty() ? limit : std::min(layer.limit, limit);
    layer.index = m.layer;
    layer.matrices.push_back(i);
    layer.cost += m.rows + m.cols;
  }
  std::vector<Layer> out;
  for (auto& [index, layer] : found) out.push_back(std::move(layer));
  return out;
}

void AdaptiveK::by_effective_rank(const khost::Upstream& upstream, std::vector<Layer>& layers) const {
  for (Layer& layer : layers) {
    const std::string path = config_.from + "/in_basis/layer" + std::to_string(layer.index);
    const double rank = upstream.record(path);
    if (!std::isfinite(rank))
      throw Error(ErrorKind::trial, "the record '" + path + "', from which layer " + std::to_string(layer.index) +
                                        " gets its K, is missing on this base and seed")
          .hint("an effective rank is missing when all gradients were zero; does that arm have an adapter in this layer?");
    layer.K = dims(rank, layer);
  }
}

std::int64_t AdaptiveK::dims(double rank, const Layer& layer) const {
  // Clamped before rounding: a huge quotient does not fit an integer.
  return std::llround(std::clamp(rank / config_.c, 1.0, static_cast<double>(layer.limit)));
}

void AdaptiveK::equal_parameters(std::vector<Layer>& layers) {
  std::int64_t sum = 0;
  for (const Layer& layer : layers) {
    if (layer.cost != layers[0].cost)
      throw Error(ErrorKind::trial, "equal_parameters moves dims between layers at an equal price, but a dim costs " +
                                        std::to_string(layers[0].cost) + " parameters in layer " +
                                        std::to_string(layers[0].index) + " and " + std::to_string(layer.cost) + " in layer " +
                                        std::to_string(layer.index))
          .hint("use \"assign\": \"shuffle\", or adapt the same matrices in every layer");
    sum += layer.K;
  }
  const auto count = static_cast<std::int64_t>(layers.size());
  const std::int64_t more = sum % count;
  for (std::int64_t l = 0; l < count; ++l)  // evenly: of the first l layers, floor(l more / count) get one more
    layers[static_cast<std::size_t>(l)].K = sum / count + ((l + 1) * more / count - l * more / count);
}

void AdaptiveK::assign(std::vector<Layer>& all, khost::Random& random) const {
  if (config_.assign == "equal_parameters") equal_parameters(all);
  if (config_.assign == "shuffle") {
    std::vector<int> order(all.size());
    for (std::size_t l = 0; l < all.size(); ++l) order[l] = static_cast<int>(all[l].K);
    random.shuffle(order);
    for (std::size_t l = 0; l < all.size(); ++l) all[l].K = order[l];
  }
}

void AdaptiveK::resolve(const khost::Upstream& upstream, std::vector<std::int64_t>& ranks) {
  std::vector<Layer> all = layers(upstream.trial());
  if (all.empty())
    throw Error(ErrorKind::usage, "no matrix in a layer carries an adapter, so there is no K to set")
        .hint("give the arm an adapter whose rank is above 0 in the layers");
  by_effective_rank(upstream, all);
  assign(all, upstream.random());
  for (const Layer& layer : all) {
    if (layer.K > layer.limit)
      throw Error(ErrorKind::trial, "\"assign\": \"" + config_.assign + "\" gives layer " + std::to_string(layer.index) +
                                        " K = " + std::to_string(layer.K) + ", but its matrices take at most " +
                                        std::to_string(layer.limit))
          .hint("the layers differ in size: only \"assign\": \"er\" is possible here");
    for (const std::size_t i : layer.matrices) ranks[i] = layer.K;
  }
}

void AdaptiveK::conclude(khost::Trial& trial) { report(trial, trial.info()); }

void AdaptiveK::report(khost::Records& records, const khost::TrialInfo& trial) {
  const std::vector<AdaptedMatrix>& matrices = trial.matrices;  // with the ranks that resolve() gave
  const std::vector<Layer> all = layers(trial);
  double sum = 0;
  for (const Layer& layer : all) {
    const auto K = static_cast<double>(matrices[layer.matrices[0]].rank);
    records.record("layer" + std::to_string(layer.index) + "/k", K);
    sum += K;
  }
  double parameters = 0, per_dim = 0;
  for (const AdaptedMatrix& m : matrices)
    if (m.rank > 0) {
      const auto sides = static_cast<double>(m.rows + m.cols);
      parameters += static_cast<double>(m.rank) * sides, per_dim += sides;
    }
  records.record("mean_layer_k", sum / static_cast<double>(all.size()));
  records.record("mean_k", parameters / per_dim);
}
