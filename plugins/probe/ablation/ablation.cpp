#include "ablation.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core_dims.hpp"
#include "khost/nulls.hpp"

using khost::AdaptedMatrix;
using khost::Alphas;
using khost::Error;
using khost::ErrorKind;
using khost::Random;

namespace {

std::vector<int> shuffled(std::size_t K, Random& random) {
  std::vector<int> order(K);
  std::iota(order.begin(), order.end(), 0);
  random.shuffle(order);
  return order;
}

void keep_random(CoreDims core, std::size_t keep, Random& random) {
  const std::vector<int> order = shuffled(core.size(), random);
  for (std::size_t i = keep; i < order.size(); ++i) core.remove(static_cast<std::size_t>(order[i]));
}

double squares_beyond(std::vector<float> values, std::size_t K, std::size_t keep) {
  CoreDims core(values, K);
  double sum = 0;
  for (std::size_t k = keep; k < K; ++k) sum += core.squares(k), core.remove(k);
  return sum;
}

void remove_norm(CoreDims core, double squares, Random& random) {
  for (const int dim : shuffled(core.size(), random)) {
    const auto k = static_cast<std::size_t>(dim);
    const double takes = core.squares(k);
    if (takes > squares) {
      if (squares > 0) core.scale(k, 1 - std::sqrt(squares / takes));
      return;
    }
    core.remove(k);
    squares -= takes;
  }
}

void for_each_core(const khost::TrialInfo& trial, Alphas& alphas, const std::function<void(CoreDims, std::size_t)>& f) {
  for (std::size_t i = 0; i < alphas.size(); ++i)
    if (const std::int64_t K = trial.matrices[i].rank; K > 0) f(CoreDims(alphas[i], static_cast<std::size_t>(K)), i);
}

khost::Part part_of(const Ablation::Config& config) {
  for (const khost::Part part : {khost::Part::calibration, khost::Part::held_out})
    if (config.on == name_of(part)) return part;
  return khost::Part::train;
}

}  // namespace

Ablation::Ablation(const Config& config) : config_(config), on_(part_of(config)) {
  std::vector<std::int64_t> keep = config.keep;
  if (keep.empty()) throw Error(ErrorKind::usage, "keep is empty");
  std::ranges::sort(keep);
  if (const auto twice = std::ranges::adjacent_find(keep); twice != keep.end())
    throw Error(ErrorKind::usage, "keep has " + std::to_string(*twice) + " twice");
}

void Ablation::declare(khost::Signals& s, const Config& config) {
  const khost::Part on = part_of(config);
  s.emit("keep<k>", "nats",
         "loss with only the first k dims of every matrix, on the adapted batch unless \"on\" names other text");
  s.emit("share<k>", "1", "(L(k) - L(K)) / (L(2) - L(K))");
  s.need("alpha", khost::at({}));
  const auto count = static_cast<std::int64_t>(config.keep.size());
  s.evaluations(count + 2, on);
  if (config.controls) {
    s.emit("random<k>", "nats", "loss with a random k dims of every matrix, mean over draws");
    s.emit("equal_norm<k>", "nats", "loss without random dims of the same norm as those beyond k, mean over draws");
    s.evaluations(2 * config.draws * count, on);
  }
  if (config.per_matrix) {
    s.emit("cut<k>/<matrix>", "nats", "loss with this matrix alone cut to its first k dims, minus the loss with all");
    std::int64_t cut = 1;
    if (s.trial)
      cut = std::ranges::count_if(s.trial->matrices, [&](const AdaptedMatrix& m) { return m.rank > *config.per_matrix; });
    s.evaluations(cut, on);
  }
  s.null("share<k>", "exchangeable dims: each alpha, or entry of a block, takes an independent exponential share of the loss");
  s.no_null("*", "a loss: noise has none");
}

void Ablation::null(khost::NullDraw& draw) {
  begin(draw.trial());
  const std::vector<double> tails = khost::nulls::exchangeable_tails(draw.trial(), draw.random());
  const auto K = static_cast<std::int64_t>(tails.size()) - 1;
  for (const std::int64_t keep : config_.keep) {
    if (keep == K) continue;
    const auto at = static_cast<std::size_t>(keep);
    draw.record("share" + std::to_string(keep), K > 2 ? tails[at] / tails[2] : khost::missing);
  }
}

void Ablation::begin(const khost::TrialInfo& trial) {
  khost::has_block_core(trial);  // refuses what is neither that nor a diagonal
  std::int64_t most = 0;
  for (const AdaptedMatrix& m : trial.matrices) {
    most = std::max(most, m.rank);
    for (const std::int64_t keep : config_.keep)
      if (m.rank > 0 && keep > m.rank)
        throw Error(ErrorKind::usage,
                    "keep has " + std::to_string(keep) + ", but " + m.name + " has K = " + std::to_string(m.rank))
            .hint("leave it out, or restrict the probe with \"arms\"");
  }
  if (most == 0)
    throw Error(ErrorKind::usage, "arm " + trial.arm + " has no adapter to cut").hint("restrict the probe with \"arms\"");
  if (config_.per_matrix && *config_.per_matrix >= most)
    throw Error(ErrorKind::usage, "per_matrix cuts to " + std::to_string(*config_.per_matrix) +
                                      " dims, but no matrix has more than " + std::to_string(most))
        .hint("choose fewer dims, or restrict the probe with \"arms\"");
}

// The mean loss over draws, each of which changes the trained alphas.
double Ablation::drawn(khost::Trial& trial, const std::string& purpose, const Change& change) const {
  Random random = trial.random(purpose);  // of its own: a record does not depend on which others are asked for
  double sum = 0;
  for (std::int64_t i = 0; i < config_.draws; ++i) {
    Alphas alphas = trial.alphas();
    change(alphas, random);
    sum += trial.evaluate(alphas, on_);
  }
  return sum / static_cast<double>(config_.draws);
}

void Ablation::each_matrix(khost::Trial& trial, std::int64_t keep, double whole) const {
  Alphas alphas = trial.alphas();
  for_each_core(trial.info(), alphas, [&](CoreDims core, std::size_t i) {
    if (static_cast<std::size_t>(keep) >= core.size()) return;
    core.cut(static_cast<std::size_t>(keep));
    trial.record("cut" + std::to_string(keep) + "/" + trial.info().matrices[i].name, trial.evaluate(alphas, on_) - whole);
    alphas[i] = trial.alphas()[i];
  });
}

void Ablation::conclude(khost::Trial& trial) {
  const khost::TrialInfo& info = trial.info();
  std::int64_t K = 0;
  for (const AdaptedMatrix& m : info.matrices) K = std::max(K, m.rank);
  std::map<std::int64_t, double> losses;
  const auto loss = [&](std::int64_t keep) {
    if (const auto known = losses.find(keep); known != losses.end()) return known->second;
    Alphas alphas = trial.alphas();
    for_each_core(info, alphas, [keep](CoreDims core, std::size_t) { core.cut(static_cast<std::size_t>(keep)); });
    return losses[keep] = trial.evaluate(alphas, on_);
  };
  const double whole = loss(K), two = loss(2);
  for (const std::int64_t keep : config_.keep) {
    const std::string name = std::to_string(keep);
    trial.record("keep" + name, loss(keep));
    if (keep == K) continue;
    trial.record("share" + name, two != whole ? (loss(keep) - whole) / (two - whole) : khost::missing);
    if (!config_.controls) continue;
    const auto dims = static_cast<std::size_t>(keep);
    trial.record("random" + name, drawn(trial, "random/" + name, [&](Alphas& alphas, Random& random) {
                   for_each_core(info, alphas, [&](CoreDims core, std::size_t) { keep_random(core, dims, random); });
                 }));
    trial.record("equal_norm" + name, drawn(trial, "equal_norm/" + name, [&](Alphas& alphas, Random& random) {
                   for_each_core(info, alphas, [&](CoreDims core, std::size_t i) {
                     remove_norm(core, squares_beyond(alphas[i], core.size(), dims), random);
                   });
                 }));
  }
  if (config_.per_matrix) each_matrix(trial, *config_.per_matrix, whole);
}
