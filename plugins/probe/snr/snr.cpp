#include "snr.hpp"

#include <cmath>

#include "khost/nulls.hpp"

using khost::Error;
using khost::ErrorKind;

void Snr::Moments::add(double x) {
  ++n;
  const double delta = x - mean;
  mean += delta / static_cast<double>(n);
  m2 += delta * (x - mean);
  mean_abs += (std::abs(x) - mean_abs) / static_cast<double>(n);
}

double Snr::Moments::variance() const { return n > 1 ? m2 / static_cast<double>(n - 1) : 0; }

double Snr::Moments::sd() const { return std::sqrt(variance()); }

double Snr::Moments::ratio() const {
  const double s = sd();
  return s > 0 ? mean_abs / s : khost::missing;
}

double Snr::Moments::debiased() const {
  const double s2 = variance();
  return s2 > 0 ? (mean * mean - s2 / static_cast<double>(n)) / s2 : khost::missing;
}

Snr::Snr(const Config& config) : config_(config) {
  if (config.batches > 0 && config.batches < 16)
    throw Error(ErrorKind::usage, "batches is " + std::to_string(config.batches) +
                                      ": a standard deviation over so few batches is itself mostly noise")
        .hint("use at least 16, or 0 to leave the batch SNR out");
  for (const khost::Json& group : config.groups.as_list()) {
    const auto fail = [&](const std::string& why) {
      throw Error(ErrorKind::usage, group.place, "group " + group.text() + " " + why);
    };
    if (!group.is_list() || group.as_list().size() != 2 || !group.as_list()[0].is_integer())
      fail("is not of the form [first, end]");
    Range range{group.as_list()[0].as_integer(), -1, group.place};
    if (const khost::Json& end = group.as_list()[1]; end.is_integer())
      range.end = end.as_integer();
    else if (!end.is_string() || end.as_string() != "K")
      fail("ends in neither an integer nor \"K\"");
    if (range.first < 0 || (range.end >= 0 && range.end <= range.first)) fail("is empty");
    groups_.push_back(range);
  }
  if (groups_.empty()) throw Error(ErrorKind::usage, config.groups.place, "groups is empty");
}

void Snr::declare(khost::Signals& s, const Config& config) {
  s.need("alpha.grad");
  s.emit("drift/<group>", "1", "mean |g| / sd(g) over training steps, mean over the group's dims, then over matrices");
  s.emit("drift/ratio", "1", "second group's drift SNR over the first's");
  s.emit("pooled/<group>", "1",
         "mean |g| / sd(g), each over dims, matrices and steps at once: paper 85's SNR as its setup words it");
  s.emit("/grad/mean/<group>", "nats", "mean of |g| pooled over dims, matrices and steps");
  s.emit("/grad/var/<group>", "nats^2", "variance of |g| pooled over dims, matrices and steps");
  if (config.batches > 0) {
    s.emit("batch/<group>", "1", "mean |g| / sd(g) over independent batches at fixed weights");
    s.emit("batch/ratio", "1", "second group's batch SNR over the first's");
    s.emit("batch_debiased/<group>", "1",
           "(mean^2 - s^2/n) / s^2 over independent batches; 2 / (n (n - 3)) on average for pure noise");
    s.emit("batch_var/<group>", "nats^2",
           "variance of g over independent batches, mean over the group's dims, then over matrices");
    s.gradients(config.batches);
  }
  s.null_if_fresh("drift/<group>", "independent Gaussian gradients of one scale at every step");
  s.null("*", "independent Gaussian gradients of one scale in every batch");
  const char* scale = "noise has no scale of its own; the ratio of two groups' would be near 1";
  s.no_null("/grad/mean/<group>", scale);
  s.no_null("/grad/var/<group>", scale);
  if (config.batches > 0) s.no_null("batch_var/<group>", scale);
}

void Snr::null(khost::NullDraw& draw) { khost::nulls::iid_gradients(*this, draw); }

void Snr::begin(const khost::TrialInfo& trial) {
  if (khost::has_block_core(trial))
    throw Error(ErrorKind::usage, "arm " + trial.arm + " has a " + trial.core +
                                      " core, whose gradient is no vector of K: the SNR per dim is " + "defined for a diagonal")
        .hint("restrict the probe to arms with \"core\": \"diagonal\" or \"factors\" with \"arms\"");
  ranks_.clear();
  for (const khost::AdaptedMatrix& m : trial.matrices) {
    if (m.rank == 0) continue;  // it has no gradient of alpha
    for (const Range& g : groups_) {
      const std::int64_t needed = g.end < 0 ? g.first + 1 : g.end;
      if (m.rank < needed)
        throw Error(
            ErrorKind::usage, g.place,
            "a group " +
                (g.first >= m.rank ? "begins at dim " + std::to_string(g.first) : "reaches to " + std::to_string(needed)) +
                ", but " + m.name + " has K = " + std::to_string(m.rank))
            .hint("write \"K\" for the end of the last group, or restrict the probe with \"arms\"");
    }
    ranks_.push_back(m.rank);
  }
  if (ranks_.empty())
    throw Error(ErrorKind::usage, "arm " + trial.arm + " has no adapter, so there is no gradient of alpha")
        .hint("restrict the probe with \"arms\"");
  drift_ = moments();
  pooled_.assign(groups_.size(), {});
}

Snr::PerMatrix Snr::moments() const {
  PerMatrix all;
  for (const std::int64_t rank : ranks_) all.emplace_back(static_cast<std::size_t>(rank));
  return all;
}

void Snr::observe(const khost::Step& step) {
  std::size_t i = 0;
  for (const auto& [name, array] : step["alpha.grad"]) {
    const auto g = array.f32();
    for (std::size_t k = 0; k < g.size(); ++k) drift_[i][k].add(g[k]);
    for (std::size_t j = 0; j < groups_.size(); ++j) {
      const auto end = static_cast<std::size_t>(groups_[j].end < 0 ? ranks_[i] : groups_[j].end);
      for (auto k = static_cast<std::size_t>(groups_[j].first); k < end; ++k) {
        const double size = std::abs(static_cast<double>(g[k]));
        pooled_[j].n += 1, pooled_[j].sum += size, pooled_[j].squares += size * size;
        pooled_[j].signed_sum += static_cast<double>(g[k]);
      }
    }
    ++i;
  }
}

// Mean over a group's dimensions, then over matrices, without what is missing.
template <class Statistic>
std::vector<double> Snr::by_group(const PerMatrix& all, Statistic statistic) const {
  std::vector<double> out;
  for (const Range& group : groups_) {
    double over_matrices = 0;
    int matrices = 0;
    for (const std::vector<Moments>& dims : all) {
      const auto end = group.end < 0 ? dims.size() : static_cast<std::size_t>(group.end);
      double sum = 0;
      int n = 0;
      for (auto k = static_cast<std::size_t>(group.first); k < end; ++k)
        if (const double value = statistic(dims[k]); !std::isnan(value)) sum += value, ++n;
      if (n) over_matrices += sum / n, ++matrices;
    }
    out.push_back(matrices ? over_matrices / matrices : khost::missing);
  }
  return out;
}

void Snr::emit(khost::Trial& trial, const std::string& name, const std::vector<double>& groups) {
  for (std::size_t j = 0; j < groups.size(); ++j) trial.record(name + "/" + std::to_string(j), groups[j]);
}

void Snr::conclude(khost::Trial& trial) {
  const auto ratio = [](const Moments& m) { return m.ratio(); };
  const auto second_over_first = [&](const std::vector<double>& groups) {
    return groups.size() > 1 ? groups[1] / groups[0] : khost::missing;
  };
  const auto drift = by_group(drift_, ratio);
  emit(trial, "drift", drift);
  trial.record("drift/ratio", second_over_first(drift));
  for (std::size_t j = 0; j < groups_.size(); ++j) {
    const Pooled& p = pooled_[j];
    const double mean = p.sum / p.n;
    const double centre = p.signed_sum / p.n, variance = p.squares / p.n - centre * centre;
    trial.record("pooled/" + std::to_string(j), variance > 0 ? mean / std::sqrt(variance) : khost::missing);
    trial.record("/grad/mean/" + std::to_string(j), mean);
    trial.record("/grad/var/" + std::to_string(j), p.squares / p.n - mean * mean);
  }
  if (config_.batches == 0) return;

  khost::Alphas alphas = trial.alphas();
  if (config_.at == "start")
    for (auto& a : alphas) a.assign(a.size(), 0.0f);
  PerMatrix over_batches = moments();
  trial.gradients(alphas, config_.batches, [&](std::int64_t, double, const khost::Alphas& gradient) {
    std::size_t i = 0;
    for (const std::vector<float>& g : gradient) {
      if (g.empty()) continue;  // no adapter there
      for (std::size_t k = 0; k < g.size(); ++k) over_batches[i][k].add(g[k]);
      ++i;
    }
  });
  const auto batch = by_group(over_batches, ratio);
  emit(trial, "batch", batch);
  trial.record("batch/ratio", second_over_first(batch));
  emit(trial, "batch_debiased", by_group(over_batches, [](const Moments& m) { return m.debiased(); }));
  emit(trial, "batch_var", by_group(over_batches, [](const Moments& m) { return m.variance(); }));
}
