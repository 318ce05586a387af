#include "plan/plan.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "khost/hash.hpp"
#include "manifest/arms.hpp"
#include "manifest/bases.hpp"
#include "plan/code_identity.hpp"

namespace khost {

std::string TrialKey::text() const {
  return "arm " + arm + ", base " + base + (draw ? " (draw " + std::to_string(draw) + ")" : "") + ", seed " +
         std::to_string(seed);
}

namespace {

constexpr std::int64_t counted_steps = 1'000'000;  // of longer trials the estimate counts those at the beginning

class Planner {
 public:
  Planner(const Experiment& experiment, const Materials& materials, const Environment& environment,
          const Environment& artifact_environment)
      : experiment_(experiment), materials_(materials), environment_(environment), artifact_environment_(artifact_environment) {}

  Plan plan() {
    Plan plan;
    for (const BaseRecipe& recipe : experiment_.bases)
      for (std::int64_t draw = 0; draw < recipe.base_draws; ++draw) plan.bases.push_back(base(recipe, draw));
    Json::List trials;
    for (std::size_t b = 0; b < plan.bases.size(); ++b)
      for (const Arm* arm : in_order_of_need(plan.bases[b].recipe->name))
        for (const std::uint64_t seed : seeds_of(*arm)) {
          plan.trials.push_back(trial(plan, b, *arm, seed));
          const TrialKey& key = plan.trials.back().key;
          trials.push_back(Json::List{key.arm, key.base, key.draw, key.seed, plan.trials.back().hash});
        }
    // What components and recipes say is in the trials' hashes.
    Json run = as_written<ManifestKeys>(experiment_.resolved,
                                        {"compute", "data", "model", "optimizer", "adapter", "bases", "arms", "probes"});
    run.set("trials", std::move(trials));
    plan.run_hash = short_hash(run.canonical());
    return plan;
  }

 private:
  // Every arm after those that it needs, otherwise as the manifest has them; it has no circles (the manifest is checked for
  // that).
  std::vector<const Arm*> in_order_of_need(const std::string& base) const {
    std::vector<const Arm*> out;
    const std::function<void(const Arm&)> add = [&](const Arm& arm) {
      if (std::ranges::find(out, &arm) != out.end()) return;
      for (const std::string& name : arm.needs) add(experiment_.arm_on(base, name));
      out.push_back(&arm);
    };
    for (const Arm* arm : experiment_.arms_on(base)) add(*arm);
    return out;
  }

  std::vector<std::uint64_t> seeds_of(const Arm& arm) const {
    const std::size_t all = experiment_.seeds.size();
    const std::size_t count = arm.seeds ? std::min(all, static_cast<std::size_t>(*arm.seeds)) : all;
    return {experiment_.seeds.begin(), experiment_.seeds.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  // Asked for by every trial; made once, as files may have to be read for it.
  const Json& component(Kind kind, const Component& c) const {
    Json& made = components_[{kind, text_of(c)}];
    if (made.is_null()) made = component_identity(materials_.registry().get(kind, c.plugin), c.config);
    return made;
  }

  // By each of an arm's probes: the same for all of its trials.
  const std::vector<Signals>& declared(const Arm& arm, const ArmShape& shape) const {
    const auto [found, is_new] = declared_.try_emplace(&arm);
    if (!is_new) return found->second;
    const TrialInfo info = info_of({arm.name, "", 0, 0}, arm, shape);
    for (const Component& c : arm.probes)
      found->second.push_back(describe(materials_.registry().get(Kind::probe, c.plugin), &c.config, &info).signals);
    return found->second;
  }

  Json environment(const Environment& e) const {
    Json out = component(Kind::compute, {e.backend, e.backend, parse_json(e.options, "compute"), {}});
    out.set("library", e.library);
    out.set("version", e.library_version);
    out.set("kernel", e.kernel);
    if (e.parts)
      out.set("parts", e.parts);
    else
      out.set("threads", e.threads);
    return out;
  }

  // `otherwise`: the host's keys that do not count here, or count as something else.
  Json data(const DataSpec& spec, std::initializer_list<std::string_view> otherwise) const {
    Json out = as_written<DataKeys>(resolved_keys<DataKeys>(spec), otherwise);
    out.set("source", component(Kind::data, spec.source));
    out.set("content", materials_.data(spec).identity());
    return out;
  }

  // Floating-point operations of one forward pass over one batch: 2 m n a token and matrix, 2 K (m + n) for its adapter, and
  // attention's two products over the causal half.
  double forward_flop(const MadeModel& model, const DataSpec& spec, const std::vector<AdaptedMatrix>& adapted) const {
    const double tokens = static_cast<double>(spec.batch) * static_cast<double>(spec.sequence);
    double each = 0;
    for (const Parameter& p : model.parameters)
      if (p.adaptable) each += 2.0 * static_cast<double>(element_count(p.shape));
    for (const AdaptedMatrix& m : adapted) each += 2.0 * static_cast<double>(m.rank * (m.rows + m.cols));
    return tokens * each;
  }

  PlannedBase base(const BaseRecipe& recipe, std::int64_t draw) const {
    PlannedBase planned{.recipe = &recipe, .draw = draw, .identity = {}, .hash = {}, .cost = {}};
    if (!recipe.file.empty()) {
      planned.file_hash = sha256_file(recipe.file);
      planned.identity = Json::object({{"file", planned.file_hash}});
    } else {
      // Without training, a base depends on none of these.
      planned.identity = as_written<BaseKeys>(
          resolved_json(recipe), {"model", "train", "data", "optimizer", "base_seed", "base_draws", "arms", "arms!"});
      planned.identity.set("code", code_identity());
      planned.identity.set("steps", recipe.steps);
      planned.identity.set("seed", Json(recipe.base_seed));
      planned.identity.set("draw", draw);
      if (recipe.steps > 0) training(recipe, planned.identity);
      planned.cost.steps = std::min(recipe.steps, recipe.expected_steps.value_or(recipe.steps));
      planned.cost.flop = static_cast<double>(planned.cost.steps) * 3 * forward_flop(materials_.model(), recipe.data, {});
    }
    planned.identity.set("parameters", parameters(materials_.parameters(recipe)));
    planned.hash = sha256(planned.identity.canonical());
    return planned;
  }

  void training(const BaseRecipe& recipe, Json& identity) const {
    identity.set("model", component(Kind::model, experiment_.model));
    identity.set("train", detail::to_json(recipe.train));
    identity.set("data", data(recipe.data, {"held_out_windows", "calibration_windows"}));
    identity.set("optimizer", component(Kind::optimizer, recipe.optimizer));
    identity.set("environment", environment(artifact_environment_));
    if (Json* until = identity.find("until")) until->set("data", data(experiment_.data, {"batch", "reuse", "held_out_windows"}));
  }

  // All that a model's code says of its tensors: a longer sequence gives it more positions, and so another set.
  static Json parameters(const std::vector<Parameter>& parameters) {
    Json::List list;
    for (const Parameter& p : parameters)
      list.push_back(Json::List{p.name, detail::to_json(p.shape), static_cast<int>(p.init), p.sd, p.adaptable});
    return list;
  }

  PlannedTrial trial(const Plan& plan, std::size_t b, const Arm& arm, std::uint64_t seed) const {
    const PlannedBase& base = plan.bases[b];
    const ArmShape& shape = materials_.arm(arm);
    PlannedTrial planned{.key = {arm.name, base.recipe->name, base.draw, seed},
                         .arm = &arm,
                         .base = b,
                         .needs = {},
                         .identity = {},
                         .hash = {},
                         .cost = {}};
    // What most of these came to takes the place of what is written, below.
    planned.identity = as_written<ArmKeys>(resolved_json(arm), {"budget", "seeds", "probes!"});
    planned.identity.set("code", code_identity());
    planned.identity.set("base", base.hash);
    planned.identity.set("model", component(Kind::model, arm.model));
    if (shape.model != &materials_.model()) planned.identity.set("parameters", parameters(shape.model->parameters));
    planned.identity.set("data", arm.reads_calibration ? data(arm.data, {}) : data(arm.data, {"calibration_windows"}));
    planned.identity.set("optimizer", component(Kind::optimizer, arm.optimizer));
    planned.identity.set("adapter", adapter(arm, shape));
    planned.identity.set("train", trained(shape));
    planned.identity.set("steps", shape.steps);
    planned.identity.set("seed", Json(seed));
    planned.identity.set("environment", environment(environment_));
    Json::List needs;
    for (const std::string& name : arm.needs) {
      planned.needs.push_back(find(plan, name, b, seed));
      needs.push_back(plan.trials[planned.needs.back()].hash);
    }
    planned.identity.set("needs", std::move(needs));
    planned.cost.steps = shape.steps;
    const auto recorded = static_cast<std::int64_t>(arm.record_at.size());
    planned.cost.evaluations = 2 + recorded;
    std::int64_t held_outs = 1 + recorded;                 // the base's own is shared by all trials
    if (arm.adapter && arm.adapter->written) ++held_outs;  // but of these
    planned.cost.windows = held_outs * arm.data.held_out_windows;
    if (arm.adapter && arm.adapter->basis == "gradient") planned.cost.gradients = 1, planned.cost.decompositions = 1;
    std::set<std::int64_t> weight_steps;
    Json::List probes;
    for (std::size_t i = 0; i < arm.probes.size(); ++i) {
      const Component& c = arm.probes[i];
      const Signals& signals = declared(arm, shape)[i];
      planned.cost.evaluations += signals.evaluation_count();
      for (const Part part : {Part::calibration, Part::held_out})
        planned.cost.windows += signals.evaluation_count(part) * arm.data.windows(part);
      planned.cost.gradients += signals.gradient_count;
      planned.cost.decompositions += signals.decomposition_count;
      for (const Signals::Need& need : signals.needs)
        for (std::int64_t step = 0; need.name == "weight.grad" && step < std::min(shape.steps, counted_steps); ++step)
          if (need.when.includes(step)) weight_steps.insert(step);
      Json probe = component(Kind::probe, c);
      probe.set("name", c.name);  // its random streams are named by it
      probes.push_back(std::move(probe));
    }
    planned.identity.set("probes", std::move(probes));
    const double forward = forward_flop(*shape.model, arm.data, shape.matrices);
    if (arm.train.empty()) planned.cost.weight_steps = static_cast<std::int64_t>(weight_steps.size());
    const double pass = arm.train.empty() ? 2 : 3;  // weight gradients are a product of their own
    planned.cost.flop =
        forward * (pass * static_cast<double>(planned.cost.steps) +
                   static_cast<double>(2 * planned.cost.gradients + planned.cost.weight_steps + planned.cost.evaluations) +
                   static_cast<double>(planned.cost.windows) / static_cast<double>(arm.data.batch));
    planned.hash = sha256(planned.identity.canonical());
    return planned;
  }

  Json adapter(const Arm& arm, const ArmShape& shape) const {
    if (!arm.adapter) return {};
    Json ranks{Json::Object{}};
    for (const AdaptedMatrix& m : shape.matrices) ranks.set(m.name, m.rank);
    if (arm.adapter->written) {
      Json out = component(Kind::adapter, arm.adapter->component);
      out.set("ranks", std::move(ranks));
      return out;
    }
    Json out = as_written<AdapterKeys>(resolved_json(arm.adapter), {"rank", "core"});
    out.set("core", component(Kind::core, arm.adapter->component));
    out.set("ranks", std::move(ranks));
    return out;
  }

  static Json trained(const ArmShape& shape) {
    Json::List names;
    for (std::size_t i = 0; i < shape.trains.size(); ++i)
      if (shape.trains[i]) names.push_back(shape.model->parameters[i].name);
    return names;
  }

  std::size_t find(const Plan& plan, const std::string& arm, std::size_t b, std::uint64_t seed) const {
    for (std::size_t i = 0; i < plan.trials.size(); ++i) {
      const PlannedTrial& t = plan.trials[i];
      if (t.base == b && t.key.seed == seed && t.key.arm == arm) return i;
    }
    throw Error(ErrorKind::usage,
                "arm '" + arm + "' has no trial with seed " + std::to_string(seed) + ", which another arm needs")
        .hint("give it as many \"seeds\"");
  }

  const Experiment& experiment_;
  const Materials& materials_;
  const Environment &environment_, &artifact_environment_;
  mutable std::map<std::pair<Kind, std::string>, Json> components_;
  mutable std::map<const Arm*, std::vector<Signals>> declared_;
};

}  // namespace

Plan make_plan(const Experiment& experiment, const Materials& materials, const Environment& environment,
               const Environment& artifact_environment) {
  return Planner(experiment, materials, environment, artifact_environment).plan();
}

}  // namespace khost
