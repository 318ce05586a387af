#include "gradient_cosine.hpp"

#include <algorithm>
#include <cmath>

#include "khost/nulls.hpp"

namespace {

double cosine(double dot, double left_squares, double right_squares) {
  if (left_squares == 0 || right_squares == 0) return khost::missing;
  return std::clamp(dot / (std::sqrt(left_squares) * std::sqrt(right_squares)), -1.0, 1.0);  // rounding can pass 1
}

}  // namespace

void GradientCosine::declare(khost::Signals& s, const Config&) {
  s.need("alpha.grad");
  s.emit("mean", "1", "cosine of consecutive gradients, mean over matrices; of the trial: mean over steps");
  s.emit("pooled", "1", "cosine of consecutive gradients of all matrices as one vector; of the trial: mean over steps");
  s.emit("least", "1", "the least of the pooled cosines over the steps");
  s.null_if_fresh("*", "independent Gaussian gradients at every step, as of batches that have nothing in common");
}

void GradientCosine::null(khost::NullDraw& draw) { khost::nulls::iid_gradients(*this, draw); }

void GradientCosine::begin(const khost::TrialInfo& trial) {
  for (const khost::AdaptedMatrix& m : trial.matrices)
    if (m.rank > 0) return;
  throw khost::Error(khost::ErrorKind::usage, "arm " + trial.arm + " has no adapter, so there is no gradient of alpha")
      .hint("restrict the probe with \"arms\"");
}

void GradientCosine::observe(const khost::Step& step) {
  const khost::Signal& gradient = step["alpha.grad"];
  const bool first = last_.empty();
  if (first) last_.resize(gradient.size());
  khost::Mean over_matrices;
  double dots = 0, before = 0, now = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const auto g = gradient[i].array.f32();
    Last& last = last_[i];
    last.gradient.resize(g.size());
    double dot = 0, squares = 0;
    for (std::size_t k = 0; k < g.size(); ++k) {
      const double value = g[k];
      dot += value * last.gradient[k];
      squares += value * value;
      last.gradient[k] = g[k];
    }
    over_matrices.add(cosine(dot, last.squares, squares));
    dots += dot, before += last.squares, now += squares;
    last.squares = squares;
  }
  if (first) return;
  const double mean = over_matrices.value(), pooled = cosine(dots, before, now);
  step.record("mean", mean);
  step.record("pooled", pooled);
  mean_.add(mean);
  pooled_.add(pooled);
  if (!std::isnan(pooled)) least_ = std::isnan(least_) ? pooled : std::min(least_, pooled);
}

void GradientCosine::conclude(khost::Trial& trial) {
  trial.record("mean", mean_.value());
  trial.record("pooled", pooled_.value());
  trial.record("least", least_);
}
