#include "k_schedule.hpp"

#include <algorithm>
#include <cmath>

using khost::Error;
using khost::ErrorKind;

KSchedule::KSchedule(const Config& config) : config_(config) {
  const auto fail = [](const std::string& what) {
    throw Error(ErrorKind::usage, what).hint("for example \"ranks\": [2, 4, 8, 16], \"at\": [0.25, 0.5, 0.75]");
  };
  const auto text = [](double at) { return khost::Json(at).text(); };
  if (config.ranks.size() != config.at.size() + 1)
    fail("there are " + std::to_string(config.ranks.size()) + " ranks and " + std::to_string(config.at.size()) +
         " changes in \"at\"; there must be one change fewer than ranks");
  for (std::size_t i = 0; i < config.at.size(); ++i) {
    if (!(config.at[i] > 0 && config.at[i] < 1)) fail("\"at\" has " + text(config.at[i]) + ", which is not between 0 and 1");
    if (i > 0 && config.at[i] <= config.at[i - 1])
      fail("\"at\" has " + text(config.at[i]) + " after " + text(config.at[i - 1]) + "; it must increase");
  }
}

void KSchedule::declare(khost::Signals& s, const Config& config) {
  s.modify("alpha.rank");
  if (config.optimizer_state == "reset") s.modify("optimizer.state");
  s.emit("mean_k", "dims", "K of the schedule, mean over steps");
  s.no_null("mean_k", "it is the manifest's, not measured");
}

void KSchedule::begin(const khost::TrialInfo& trial) {
  starts_ = {0};
  for (const double at : config_.at) {
    // 0.29 * 100 is 28.999999999999996 in binary, and means 29.
    const auto start = static_cast<std::int64_t>(std::floor(at * static_cast<double>(trial.steps) + 1e-9));
    const std::string where =
        "the change at " + khost::Json(at).text() + " of " + std::to_string(trial.steps) + " steps falls on ";
    if (start == 0)
      throw Error(ErrorKind::usage, where + "step 0, before the first rank was used").hint("put it later, or train longer");
    if (start >= trial.steps)
      throw Error(ErrorKind::usage, where + "the end of the last step").hint("put it earlier, or train longer");
    if (start == starts_.back())
      throw Error(ErrorKind::usage, where + "step " + std::to_string(start) + ", like the one before it")
          .hint("put them further apart, or train longer");
    starts_.push_back(start);
  }
  const std::int64_t most = std::ranges::max(config_.ranks);
  bool adapted = false;
  for (const khost::AdaptedMatrix& m : trial.matrices) {
    if (m.rank == 0) continue;
    adapted = true;
    if (most > m.rank)
      throw Error(ErrorKind::usage,
                  "the schedule reaches K = " + std::to_string(most) + ", but " + m.name + " has K = " + std::to_string(m.rank))
          .hint("give the adapter rank " + std::to_string(most));
  }
  if (!adapted) throw Error(ErrorKind::usage, "there is no adapter whose K could change").hint("give the arm an adapter");
}

void KSchedule::before_step(khost::StepPlan& plan) {
  const auto found = std::ranges::find(starts_, plan.index());
  if (found == starts_.end()) return;
  const std::int64_t K = config_.ranks[static_cast<std::size_t>(found - starts_.begin())];
  const auto& matrices = plan.trial().matrices;
  for (std::size_t i = 0; i < matrices.size(); ++i)
    if (matrices[i].rank > 0) plan.set_rank(i, K);
  if (plan.index() > 0 && config_.optimizer_state == "reset") plan.reset_optimizer();
}

void KSchedule::conclude(khost::Trial& trial) {
  const std::int64_t steps = trial.info().steps;
  double sum = 0;
  for (std::size_t i = 0; i < starts_.size(); ++i)
    sum += static_cast<double>(config_.ranks[i] * ((i + 1 < starts_.size() ? starts_[i + 1] : steps) - starts_[i]));
  trial.record("mean_k", steps > 0 ? sum / static_cast<double>(steps) : khost::missing);
}
