#include "coverage.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <ranges>

#include "khost/nulls.hpp"
#include "khost/parallel.hpp"

using khost::Error;
using khost::ErrorKind;

namespace {

bool has(const std::vector<std::string>& names, const char* name) { return std::ranges::find(names, name) != names.end(); }

std::int64_t largest(const std::vector<std::int64_t>& ranks) { return ranks.empty() ? 0 : std::ranges::max(ranks); }

template <class T>
void refuse_empty_or_repeated(const char* what, std::vector<T> list) {
  std::ranges::sort(list);
  if (list.empty()) throw Error(ErrorKind::usage, std::string(what) + " is empty");
  if (std::ranges::adjacent_find(list) != list.end()) throw Error(ErrorKind::usage, std::string(what) + " has an entry twice");
}

}  // namespace

Coverage::Coverage(const Config& config) : config_(config), most_(largest(config.ranks)) {
  refuse_empty_or_repeated("bases", config.bases);
  refuse_empty_or_repeated("ranks", config.ranks);
  refuse_empty_or_repeated("steps", config.steps);
  for (const std::string& basis : config.bases)
    if (basis != "svd" && basis != "random" && basis != "gradient")
      throw Error(ErrorKind::usage, "there is no basis '" + basis + "' to cover a gradient").hint("use svd, random or gradient");
}

void Coverage::declare(khost::Signals& s, const Config& config) {
  std::vector<std::int64_t> at = khost::indices_of_steps(config.steps);
  for (const char* kind : {"svd", "random"})
    if (has(config.bases, kind) && largest(config.ranks) > 0) s.need_basis(kind, largest(config.ranks), khost::at(at));
  if (has(config.bases, "gradient")) at.push_back(0);
  s.need("weight.grad", khost::at(at));
  s.emit("<basis>/block/k<K>/step<s>", "1", "||U'GV||_F / ||G||_F of the first K dims at step s (from 1), mean over matrices");
  s.emit("<basis>/diagonal/k<K>/step<s>", "1", "||diag(U'GV)|| / ||G||_F, mean over matrices");
  s.emit("<basis>/block_over_null/k<K>/step<s>", "1", "block over K / sqrt(mn), a random basis's, mean over matrices");
  s.emit("<basis>/diagonal_over_null/k<K>/step<s>", "1", "diagonal over sqrt(K) / sqrt(mn), mean over matrices");
  if (has(config.bases, "svd")) s.emit("per_dim/step<s>", "1", "the svd basis's block coverage / K, mean over the ranks");
  s.no_null("gradient/<kind>/k<K>/step<s>", "the basis is made from the gradient itself: it covers noise as well as anything");
  s.null("*",
         "a random basis, and G = A'B of independent Gaussian A, B with a row for each token of the batch; others at every step, "
         "or on a fixed batch the same");
}

void Coverage::null(khost::NullDraw& draw) {
  const khost::TrialInfo& trial = draw.trial();
  begin(trial);
  const std::int64_t tokens = khost::checked_product({trial.batch, trial.sequence});
  std::string ranks;
  for (const std::int64_t K : config_.ranks) ranks += "," + std::to_string(K);
  std::map<std::string, std::vector<std::vector<Covered>>> drawn;  // by basis: one batch has one G over all steps
  for (const std::int64_t step : config_.steps)
    for (const std::string& basis : config_.bases) {
      if (basis == "gradient") continue;
      std::vector<std::vector<Covered>>& all = drawn[basis];
      if (!trial.fresh && !all.empty()) {
        take(basis, step, trial.matrices, all);
        continue;
      }
      all.clear();
      for (const khost::AdaptedMatrix& matrix : trial.matrices) {
        const auto [n, m] = std::minmax(matrix.rows, matrix.cols);  // transposed, it is covered as well
        const std::string name =
            "coverage of " + std::to_string(m) + "x" + std::to_string(n) + " of " + std::to_string(tokens) + ranks;
        const auto& pooled = draw.pick(name, 250, [&, m = m, n = n](khost::Random& random) {
          std::vector<double> out;
          for (const Covered& c : covered(khost::nulls::random_block(tokens, m, n, most_, random), 1))
            out.insert(out.end(), {c.block, c.diagonal});
          return out;
        });
        auto& matrix_covered = all.emplace_back();
        for (std::size_t i = 0; i < pooled.size(); i += 2) matrix_covered.push_back({pooled[i], pooled[i + 1]});
      }
      take(basis, step, trial.matrices, all);
    }
  report(draw);
}

void Coverage::begin(const khost::TrialInfo& trial) {
  khost::require_steps(trial, config_.steps);
  for (const khost::AdaptedMatrix& m : trial.matrices)
    if (most_ > std::min(m.rows, m.cols))
      throw Error(ErrorKind::usage, "ranks has " + std::to_string(most_) + ", but " + m.name + " is " + std::to_string(m.rows) +
                                        " x " + std::to_string(m.cols) + ": a basis has at most " +
                                        std::to_string(std::min(m.rows, m.cols)))
          .hint("leave out the larger ranks, or restrict the probe with \"arms\"");
}

void Coverage::observe(const khost::Step& step) {
  if (step.index() == 0 && has(config_.bases, "gradient")) keep_gradient_basis(step);
  if (std::ranges::find(config_.steps, step.index() + 1) == config_.steps.end()) return;
  for (const std::string& basis : config_.bases) measure(step, basis);
}

void Coverage::keep_gradient_basis(const khost::Step& step) {
  const auto& matrices = step.trial().matrices;
  const khost::Signal& gradient = step["weight.grad"];
  std::vector<std::int64_t> costs;
  for (const khost::AdaptedMatrix& m : matrices) costs.push_back(m.rows * m.cols * std::min(m.rows, m.cols));
  gradients_.resize(matrices.size());
  khost::parallel_tasks(costs, [&](std::size_t i) {
    const khost::AdaptedMatrix& m = matrices[i];
    gradients_[i] = khost::svd_basis(gradient.at(m.name).f32(), m.rows, m.cols, most_);
  });
}

Coverage::Pair Coverage::pair(const khost::Step& step, const std::string& basis, std::size_t matrix) const {
  const khost::AdaptedMatrix& m = step.trial().matrices[matrix];
  if (basis == "gradient") {
    const khost::Basis& b = gradients_[matrix];
    return {{khost::DType::f32, b.U.data(), {b.m, b.rank}}, {khost::DType::f32, b.V.data(), {b.n, b.rank}}};
  }
  const khost::Signal& base = step["basis." + basis];
  return {base.at(m.name + "/U"), base.at(m.name + "/V")};
}

void Coverage::measure(const khost::Step& step, const std::string& basis) {
  const auto& matrices = step.trial().matrices;
  const khost::Signal& gradient = step["weight.grad"];
  std::vector<std::int64_t> costs;
  for (const khost::AdaptedMatrix& m : matrices) costs.push_back(m.rows * m.cols);
  std::vector<std::vector<double>> cores(matrices.size());  // U'GV
  std::vector<double> norms(matrices.size());               // ||G||_F
  khost::parallel_tasks(costs, [&](std::size_t i) {
    const khost::ArrayView& G = gradient.at(matrices[i].name);
    const Pair bases = pair(step, basis, i);
    cores[i] = khost::project(G, bases.U, bases.V, most_);
    double squares = 0;
    for (const float g : G.f32()) squares += static_cast<double>(g) * static_cast<double>(g);
    norms[i] = std::sqrt(squares);
  });
  std::vector<std::vector<Covered>> all(matrices.size());
  for (std::size_t i = 0; i < matrices.size(); ++i)
    if (norms[i] > 0) all[i] = covered(cores[i], norms[i]);
  take(basis, step.index() + 1, matrices, all);
}

std::vector<Coverage::Covered> Coverage::covered(const std::vector<double>& core, double norm) const {
  const auto entry = [&](std::int64_t r, std::int64_t c) { return core[static_cast<std::size_t>(r * most_ + c)]; };
  std::vector<Covered> out;
  for (const std::int64_t K : config_.ranks) {
    double block = 0, diagonal = 0;
    for (std::int64_t r = 0; r < K; ++r) {
      for (std::int64_t c = 0; c < K; ++c) block += entry(r, c) * entry(r, c);
      diagonal += entry(r, r) * entry(r, r);
    }
    out.push_back({std::sqrt(block) / norm, std::sqrt(diagonal) / norm});
  }
  return out;
}

void Coverage::take(const std::string& basis, std::int64_t step, const std::vector<khost::AdaptedMatrix>& matrices,
                    const std::vector<std::vector<Covered>>& covered) {
  for (std::size_t r = 0; r < config_.ranks.size(); ++r) {
    const auto K = static_cast<double>(config_.ranks[r]);
    Figures figures{basis, config_.ranks[r], step, {}, {}, {}, {}};
    for (std::size_t i = 0; i < matrices.size(); ++i) {
      if (covered[i].empty()) continue;  // no gradient: nothing to cover
      const auto [block, diagonal] = covered[i][r];
      const double root = std::sqrt(static_cast<double>(matrices[i].rows) * static_cast<double>(matrices[i].cols));
      figures.block.add(block);
      figures.diagonal.add(diagonal);
      figures.block_over_null.add(block * root / K);
      figures.diagonal_over_null.add(diagonal * root / std::sqrt(K));
    }
    measured_.push_back(std::move(figures));
  }
}

void Coverage::conclude(khost::Trial& trial) { report(trial); }

void Coverage::report(khost::Records& records) const {
  std::map<std::int64_t, khost::Mean> per_dim;  // by step
  for (const Figures& f : measured_) {
    const std::string at = "/k" + std::to_string(f.K) + "/step" + std::to_string(f.step);
    records.record(f.basis + "/block" + at, f.block.value());
    records.record(f.basis + "/diagonal" + at, f.diagonal.value());
    records.record(f.basis + "/block_over_null" + at, f.block_over_null.value());
    records.record(f.basis + "/diagonal_over_null" + at, f.diagonal_over_null.value());
    if (f.basis == "svd") per_dim[f.step].add(f.block.value() / static_cast<double>(f.K));
  }
  for (const auto& [step, mean] : per_dim) records.record("per_dim/step" + std::to_string(step), mean.value());
}
