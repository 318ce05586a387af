#include "engine/prepare.hpp"

#include <set>

#include "core/team.hpp"

namespace khost {

namespace {

void check_part(const Data& data, const DataSpec& spec, Part part) {
  const std::int64_t tokens = data.tokens(part);
  if (tokens < spec.sequence + 1)
    throw Error(ErrorKind::usage, spec.source.place,
                "a sequence of " + std::to_string(spec.sequence) + " tokens is longer than the " + name_of(part) +
                    " part of the text, which has " + std::to_string(tokens))
        .hint("choose a sequence of at most " + std::to_string(std::max<std::int64_t>(0, tokens - 1)) + ", or a longer text");
}

}  // namespace

void prepare(const TrialContext& context, int threads, const std::function<bool(const PlannedTrial&)>& kept) {
  set_team(threads);
  const Materials& materials = context.materials;
  std::set<std::size_t> needed;
  for (const PlannedTrial& trial : context.plan.trials) {
    if (kept(trial)) continue;
    needed.insert(trial.base);
    const DataSpec& spec = trial.arm->data;
    check_part(materials.data(spec), spec, Part::train);
    if (spec.held_out_windows > 0) check_part(materials.data(spec), spec, Part::held_out);
  }
  for (const std::size_t b : needed) {
    const PlannedBase& base = context.plan.bases[b];
    if (context.bases.cached(base)) continue;
    if (base.recipe->steps > 0) check_part(materials.data(base.recipe->data), base.recipe->data, Part::train);
    if (base.recipe->until_loss) check_part(materials.data(context.experiment.data), context.experiment.data, Part::calibration);
  }
  for (const std::size_t b : needed) context.bases.prepare(context.plan.bases[b]);
}

}  // namespace khost
