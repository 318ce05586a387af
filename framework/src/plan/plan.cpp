#include "plan/plan.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "khost/hash.hpp"

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
    Json::List hashes;
    const std::vector<const Arm*> arms = in_order_of_need();
    for (std::size_t b = 0; b < plan.bases.size(); ++b)
      for (const Arm* arm : arms)
        for (const std::uint64_t seed : seeds_of(*arm)) {
          plan.trials.push_back(trial(plan, b, *arm, seed));
          hashes.push_back(plan.trials.back().hash);
        }
    Json run = Json::object({{"experiment", experiment_.resolved}, {"trials", std::move(hashes)}});
    Json& run_experiment = *run.find("experiment");
    run_experiment.erase("plugin_path");  // where the files stand is no part of what they compute
    for (const BaseRecipe& recipe : experiment_.bases)
      if (recipe.expected_steps) run_experiment.find("bases")->find(recipe.name)->find("until")->erase("expect");
    plan.run_hash = short_hash(run.canonical());
    return plan;
  }

 private:
  // Every arm after those that it needs, otherwise as the manifest has them; it has no circles (the manifest is checked for
  // that).
  std::vector<const Arm*> in_order_of_need() const {
    std::vector<const Arm*> out;
    const std::function<void(const Arm&)> add = [&](const Arm& arm) {
      if (std::ranges::find(out, &arm) != out.end()) return;
      for (const std::string& name : arm.needs) add(*std::ranges::find(experiment_.arms, name, &Arm::name));
      out.push_back(&arm);
    };
    for (const Arm& arm : experiment_.arms) add(arm);
    return out;
  }

  std::vector<std::uint64_t> seeds_of(const Arm& arm) const {
    const std::size_t all = experiment_.seeds.size();
    const std::size_t count = arm.seeds ? std::min(all, static_cast<std::size_t>(*arm.seeds)) : all;
    return {experiment_.seeds.begin(), experiment_.seeds.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  Json component(Kind kind, const Component& c) const {
    const Plugin& plugin = materials_.registry().get(kind, c.plugin);
    return Json::object({{"plugin", c.plugin},
                         {"config", identity_of(describe(plugin, &c.config).schema, c.config)},
                         {"numerics", static_cast<std::int64_t>(plugin.descriptor->numerics)}});
  }

  static Json environment(const Environment& e) {
    return Json::object({{"backend", e.backend},
                         {"library", e.library},
                         {"version", e.library_version},
                         {"kernel", e.kernel},
                         {"threads", e.threads}});
  }

  Json data(const DataSpec& spec) const {
    return Json::object({{"source", materials_.data(spec).identity()},
                         {"sequence", spec.sequence},
                         {"batch", spec.batch},
                         {"fresh", spec.fresh}});
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
      planned.identity = Json::object({{"file", sha256_file(recipe.file)}, {"model", component(Kind::model, experiment_.model)}});
    } else {
      Json::List train;
      for (const std::string& pattern : recipe.train) train.push_back(pattern);
      planned.identity = Json::object({{"khost", libkhost_numerics},
                                       {"model", component(Kind::model, experiment_.model)},
                                       {"steps", recipe.steps},
                                       {"seed", recipe.base_seed},
                                       {"draw", draw}});
      if (recipe.steps > 0) {  // the plain initialisation depends on nothing else
        planned.identity.set("train", std::move(train));
        planned.identity.set("data", data(recipe.data));
        planned.identity.set("optimizer", component(Kind::optimizer, recipe.optimizer));
        planned.identity.set("environment", environment(artifact_environment_));
        if (recipe.until_loss)
          planned.identity.set("until", Json::object({{"loss", *recipe.until_loss},
                                                      {"data", data(experiment_.data)},
                                                      {"windows", experiment_.data.calibration_windows}}));
      }
      planned.identity.set("vocabulary", materials_.data(experiment_.data).vocabulary());
      planned.identity.set("parameters", shapes());
      planned.cost.steps = std::min(recipe.steps, recipe.expected_steps.value_or(recipe.steps));
      planned.cost.flop = static_cast<double>(planned.cost.steps) * 3 * forward_flop(materials_.base_model(), recipe.data, {});
    }
    planned.hash = sha256(planned.identity.canonical());
    return planned;
  }

  // A longer sequence gives the model more positions: another set of tensors, another base.
  Json shapes() const {
    Json::List list;
    for (const Parameter& p : materials_.base_model().parameters) list.push_back(p.name + text_of(p.shape));
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
    Json arm_data = data(arm.data);
    arm_data.set("held_out_windows", arm.data.held_out_windows);
    planned.identity = Json::object({{"khost", libkhost_numerics},
                                     {"base", base.hash},
                                     {"model", component(Kind::model, arm.model)},
                                     {"data", std::move(arm_data)},
                                     {"optimizer", component(Kind::optimizer, arm.optimizer)},
                                     {"adapter", adapter(arm, shape)},
                                     {"train", trained(shape)},
                                     {"steps", shape.steps},
                                     {"record_at", detail::to_json(arm.record_at)},
                                     {"seed", seed},
                                     {"environment", environment(environment_)}});
    Json::List needs;
    for (const std::string& name : arm.needs) {
      planned.needs.push_back(find(plan, name, b, seed));
      needs.push_back(plan.trials[planned.needs.back()].hash);
    }
    planned.identity.set("needs", std::move(needs));
    planned.cost.steps = shape.steps;
    const auto recorded = static_cast<std::int64_t>(arm.record_at.size());
    planned.cost.evaluations = 2 + recorded;
    planned.cost.held_outs = arm.data.held_out_windows > 0 ? 1 + recorded : 0;  // the base's own is shared by all trials
    if (arm.adapter && arm.adapter->basis == "gradient") planned.cost.gradients = 1, planned.cost.decompositions = 1;
    std::set<std::int64_t> weight_steps;
    Json::List probes;
    for (const Component& c : arm.probes) {
      const Signals signals = describe(materials_.registry().get(Kind::probe, c.plugin), &c.config).signals;
      planned.cost.evaluations += signals.evaluation_count;
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
    const std::int64_t windows = planned.cost.held_outs * arm.data.held_out_windows;
    planned.cost.flop =
        forward * (pass * static_cast<double>(planned.cost.steps) +
                   static_cast<double>(2 * planned.cost.gradients + planned.cost.weight_steps + planned.cost.evaluations) +
                   static_cast<double>(windows) / static_cast<double>(arm.data.batch));
    planned.hash = sha256(planned.identity.canonical());
    return planned;
  }

  static Json adapter(const Arm& arm, const ArmShape& shape) {
    if (!arm.adapter) return {};
    Json ranks{Json::Object{}};
    for (const AdaptedMatrix& m : shape.matrices) ranks.set(m.name, m.rank);
    return Json::object({{"basis", arm.adapter->basis}, {"core", arm.adapter->core}, {"ranks", std::move(ranks)}});
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
};

}  // namespace

Plan make_plan(const Experiment& experiment, const Materials& materials, const Environment& environment,
               const Environment& artifact_environment) {
  return Planner(experiment, materials, environment, artifact_environment).plan();
}

}  // namespace khost
