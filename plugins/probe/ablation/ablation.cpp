#include "ablation.hpp"

#include <algorithm>
#include <map>

void Ablation::declare(khost::Signals& s, const Config& config) {
  s.emit("keep<k>", "nats", "loss on the adapted batch with only the first k dims of every matrix");
  s.emit("share<k>", "1", "(L(k) - L(K)) / (L(2) - L(K))");
  s.evaluations(static_cast<std::int64_t>(config.keep.size()) + 2);
}

void Ablation::begin(const khost::TrialInfo& trial) {
  for (const khost::AdaptedMatrix& m : trial.matrices)
    for (const std::int64_t keep : config_.keep)
      if (keep > m.rank)
        throw khost::Error(khost::ErrorKind::usage,
                           "keep has " + std::to_string(keep) + ", but " + m.name + " has K = " + std::to_string(m.rank))
            .hint("leave it out, or restrict the probe with \"arms\"");
}

void Ablation::conclude(khost::Trial& trial) {
  std::int64_t K = 0;
  for (const khost::AdaptedMatrix& m : trial.info().matrices) K = std::max(K, m.rank);
  std::map<std::int64_t, double> losses;
  const auto loss = [&](std::int64_t keep) {
    if (const auto known = losses.find(keep); known != losses.end()) return known->second;
    khost::Alphas cut = trial.alphas();
    for (auto& alpha : cut)
      if (static_cast<std::size_t>(keep) < alpha.size()) std::fill(alpha.begin() + keep, alpha.end(), 0.0f);
    return losses[keep] = trial.evaluate(cut);
  };
  const double whole = loss(K), two = loss(2);
  for (const std::int64_t keep : config_.keep) {
    trial.record("keep" + std::to_string(keep), loss(keep));
    if (keep != K)
      trial.record("share" + std::to_string(keep), two != whole ? (loss(keep) - whole) / (two - whole) : khost::missing);
  }
}
