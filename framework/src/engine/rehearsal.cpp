#include "engine/rehearsal.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "engine/nulls.hpp"
#include "engine/probes.hpp"
#include "engine/weights.hpp"
#include "khost/safetensors.hpp"
#include "manifest/parts.hpp"
#include "plan/patterns.hpp"

namespace khost {
namespace {

// Thrown through a policy that asks for another arm's record before there is one.
class NotKnownYet : public Error {
 public:
  NotKnownYet() : Error(ErrorKind::trial, "the arms it needs have not run yet") {}
};

class Rehearsal {
 public:
  Rehearsal(const Experiment& experiment, const Materials& materials) : experiment_(experiment), materials_(materials) {}

  void base(const BaseRecipe& recipe) const {
    const std::vector<Parameter>& parameters = materials_.model().parameters;
    if (!recipe.file.empty()) return placed(recipe.place, [&] { expect_tensors(SafetensorsFile(recipe.file), parameters); });
    if (recipe.steps == 0) return;
    chosen(recipe.train, parameters, "'train' of base '" + recipe.name + "'", recipe.train_place);
    if (recipe.until_loss && experiment_.data.calibration_windows == 0)
      throw Error(ErrorKind::usage, recipe.place,
                  "base '" + recipe.name + "' trains until a loss on the calibration part, but \"calibration_windows\" is 0")
          .hint("set \"calibration_windows\" of \"data\" to 16, or give the base \"steps\" without \"until\"");
  }

  void arm(const Arm& arm, const TrialKey& key) try {
    const TrialInfo planned = info_of(key, arm, materials_.arm(arm));
    const std::optional<TrialInfo> known = resolved(arm, planned);
    for (const Component& probe : arm.probes)
      placed(probe.place, [&] {
        if (known) {
          Probes({probe}, materials_.registry()).rehearse(*known);
          null(probe, planned);
        } else {
          begin_with_some_ranks(probe, materials_.arm(arm), planned);
        }
      });
  } catch (Error& e) {
    e.within("arm " + arm.name);
    throw;
  }

 private:
  // With the ranks that policies give it; nothing where only other arms' records can tell.
  std::optional<TrialInfo> resolved(const Arm& arm, const TrialInfo& planned) const {
    TrialInfo info = planned;
    const ArmShape& shape = materials_.arm(arm);
    bool known = true;
    for (const Component& c : arm.probes) {
      std::vector<std::int64_t> ranks;
      for (const AdaptedMatrix& m : info.matrices) ranks.push_back(m.rank);
      try {
        placed(c.place, [&] {
          Probes({c}, materials_.registry())
              .resolve(
                  info, [](std::string_view) -> double { throw NotKnownYet(); }, ranks);
        });
        for (std::size_t i = 0; i < ranks.size(); ++i) shape.give_rank(info.matrices[i], ranks[i]);
      } catch (const NotKnownYet&) {
        known = false;
      }
    }
    return known ? std::optional(info) : std::nullopt;
  }

  // Refused only if it refuses both the manifest's ranks and the largest that there can be: what it would say of others, only the
  // trial can tell.
  void begin_with_some_ranks(const Component& probe, const ArmShape& shape, const TrialInfo& planned) const {
    try {
      Probes({probe}, materials_.registry()).rehearse(planned);
    } catch (const Error&) {
      TrialInfo largest = planned;
      for (AdaptedMatrix& m : largest.matrices)
        if (m.rank > 0) shape.give_rank(m, std::min(m.rows, m.cols));
      if (refuses(probe, largest)) throw;
    }
  }

  bool refuses(const Component& probe, const TrialInfo& info) const {
    try {
      Probes({probe}, materials_.registry()).rehearse(info);
      return false;
    } catch (const Error&) {
      return true;
    }
  }

  // Nulls are drawn at the manifest's ranks.
  void null(const Component& probe, const TrialInfo& planned) {
    const Plugin& plugin = materials_.registry().get(Kind::probe, probe.plugin);
    rehearse_null(plugin, probe, describe(plugin, &probe.config).signals, planned, rehearsed_);
  }

  const Experiment& experiment_;
  const Materials& materials_;
  std::set<std::string> rehearsed_;
};

}  // namespace

void rehearse(const Experiment& experiment, const Materials& materials, const Plan& plan) {
  Rehearsal rehearsal(experiment, materials);
  for (const BaseRecipe& base : experiment.bases) rehearsal.base(base);
  std::set<const Arm*> done;
  for (const PlannedTrial& trial : plan.trials)
    if (done.insert(trial.arm).second) rehearsal.arm(*trial.arm, trial.key);
}

}  // namespace khost
