#include "engine/prepare.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "core/team.hpp"
#include "engine/batches.hpp"
#include "khost/interrupt.hpp"

namespace khost {

void prepare(const TrialContext& context, int threads, const std::function<bool(const PlannedTrial&)>& kept) {
  set_team(threads);
  const Materials& materials = context.materials;
  // What data cannot say is left to the trials and bases that ask again: others have data of their own. A text that is too short
  // is a mistake of the manifest, and ends the run before anything is computed.
  std::optional<Error> failure;  // the first
  const auto answers = [&](const DataSpec& spec, Part part) {
    std::int64_t tokens = 0;
    try {
      tokens = materials.data(spec).tokens(part);
    } catch (const Error& e) {
      if (interrupted()) throw;
      if (!failure) failure = e;
      return false;
    }
    check_length(tokens, spec, part);
    return true;
  };
  std::set<std::size_t> needed;
  bool any_left = false;  // that is kept, or whose data answer
  for (const PlannedTrial& trial : context.plan.trials) {
    const DataSpec& spec = trial.arm->data;
    if (kept(trial)) {
      any_left = true;
      continue;
    }
    if (!std::ranges::all_of(trial.arm->reads(), [&](Part part) { return answers(spec, part); })) continue;
    any_left = true;
    needed.insert(trial.base);
  }
  if (!any_left && failure) throw Error(*failure);
  for (const std::size_t b : needed) {
    const PlannedBase& base = context.plan.bases[b];
    if (context.base_models.cached(base)) continue;
    if (base.recipe->steps > 0) answers(base.recipe->data, Part::train);
    if (base.recipe->until_loss) answers(context.experiment.data, Part::calibration);
  }
  for (const std::size_t b : needed) context.base_models.prepare(context.plan.bases[b]);
}

}  // namespace khost
