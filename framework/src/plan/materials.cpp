#include "plan/materials.hpp"

#include <algorithm>
#include <set>

#include "manifest/parts.hpp"
#include "plan/patterns.hpp"

namespace khost {

std::string text_of(const Component& component) { return component.plugin + " " + component.config.canonical(); }

namespace {

std::vector<const DataSpec*> all_data(const Experiment& experiment) {
  std::vector<const DataSpec*> specs{&experiment.data};
  for (const BaseRecipe& base : experiment.bases)
    if (base.file.empty()) specs.push_back(&base.data);
  for (const Arm& arm : experiment.arms) specs.push_back(&arm.data);
  return specs;
}

}  // namespace

Materials::Materials(const Experiment& experiment, Registry& registry, ArtifactStore& artifacts, int threads)
    : registry_(registry) {
  const auto specs = all_data(experiment);
  std::map<std::string, std::map<std::string, Json>> configs;  // by plugin, then by text: sorted and without repeats
  std::int64_t longest = 1;
  for (const DataSpec* spec : specs) {
    configs[spec->source.plugin].emplace(text_of(spec->source), spec->source.config);
    longest = std::max(longest, spec->sequence);
  }
  for (const DataSpec* spec : specs) {
    auto& made = data_[text_of(spec->source)];
    if (made) continue;
    DataContext context{artifacts, {}, experiment.folder, threads};
    for (const auto& [text, config] : configs[spec->source.plugin]) context.siblings.push_back(config);
    made = placed(spec->source.place,
                  [&] { return create<Data>(registry.get(Kind::data, spec->source.plugin), spec->source.config, &context); });
  }
  const std::int64_t vocabulary = data(experiment.data).vocabulary();
  for (const DataSpec* spec : specs)
    if (data(*spec).vocabulary() != vocabulary)
      throw Error(ErrorKind::usage, spec->source.place,
                  "this data source has a vocabulary of " + std::to_string(data(*spec).vocabulary()) + ", the experiment's has " +
                      std::to_string(vocabulary) + "; what shares a model must share a vocabulary");

  const ModelContext context{vocabulary, longest};
  model_ = &make_model(experiment.model, context);
  for (const BaseRecipe& base : experiment.bases) {
    const MadeModel* drawn = drawn_[base.name] = &make_model(base.model, context);
    expect_tensors(*drawn, false, "base '" + base.name + "'", base.model.place);
  }
  for (const Arm& arm : experiment.arms) arms_.emplace(arm.key(), placed(arm.place, [&] { return shape(arm, context); }));
}

const MadeModel& Materials::make_model(const Component& component, const ModelContext& context) {
  const auto [at, is_new] = models_.try_emplace(text_of(component));
  MadeModel& made = at->second;
  if (is_new) {
    ModelContext own = context;
    placed(component.place, [&] {
      made.model = create<Model>(registry_.get(Kind::model, component.plugin), component.config, &own);
      made.parameters = made.model->parameters();
    });
  }
  return made;
}

namespace {

// K of one matrix: the last rule that fits it.
const RankRule& rule_of(const Parameter& p, const std::vector<RankRule>& rules) {
  const RankRule* found = &rules.front();
  for (const RankRule& rule : rules)
    if (rule.pattern == "*" || name_matches(rule.pattern, p)) found = &rule;
  return *found;
}

// Each rule but the default has to decide something, or it does not say what its author thinks.
void check_rules(const std::string& owner, const std::vector<RankRule>& rules, const std::vector<Parameter>& parameters) {
  std::vector<std::string> names;
  for (const Parameter& p : parameters)
    if (p.adaptable) names.push_back(p.name);
  for (const RankRule& rule : rules) {
    if (rule.pattern == "*") continue;
    const auto fits = [&](const Parameter& p) { return p.adaptable && name_matches(rule.pattern, p); };
    if (std::ranges::none_of(parameters, fits))
      throw Error(ErrorKind::usage, rule.place,
                  "the rank pattern '" + rule.pattern + "' of " + owner + " matches no matrix of the model")
          .hint(nearest_and_all(rule.pattern, names, "matrices"));
    if (std::ranges::any_of(parameters, [&](const Parameter& p) { return fits(p) && &rule_of(p, rules) == &rule; })) continue;
    const RankRule& over = rule_of(*std::ranges::find_if(parameters, fits), rules);
    throw Error(ErrorKind::usage, rule.place,
                "the rank pattern '" + rule.pattern + "' of " + owner +
                    " decides nothing: what it matches, later patterns match too, as '" + over.pattern + "' at " +
                    over.place.text())
        .hint("the last pattern that fits a matrix decides: write the narrow ones after the wide ones");
  }
}

void check_steps(const Arm& arm, std::int64_t steps) {
  for (const std::int64_t at : arm.record_at)
    if (at > steps)
      throw Error(ErrorKind::usage, arm.place_of("record_at"),
                  "arm '" + arm.name + "' records its loss after step " + std::to_string(at) + ", but has only " +
                      std::to_string(steps) + " steps");
}

}  // namespace

// That it has the experiment's, and without `others` no more.
void Materials::expect_tensors(const MadeModel& model, bool others, const std::string& owner, const Place& place) const {
  if (&model == model_) return;
  for (const Parameter& p : model_->parameters) {
    const auto same = std::ranges::find(model.parameters, p.name, &Parameter::name);
    if (same != model.parameters.end() && same->shape == p.shape) continue;
    Error error(ErrorKind::usage, place,
                "the model of " + owner + " has no tensor '" + p.name + "' " + text_of(p.shape) +
                    (others ? ", which the bases have" : ", which the experiment's has"));
    throw error.hint(others ? "an arm's model may have more tensors than the experiment's, not others"
                            : "a base's model may draw its tensors in another way, not have others");
  }
  if (others || model.parameters.size() == model_->parameters.size()) return;
  throw Error(ErrorKind::usage, place, "the model of " + owner + " has other tensors than the experiment's")
      .hint("a base's model may draw its tensors in another way, not have others");
}

ArmShape Materials::shape(const Arm& arm, const ModelContext& context) {
  ArmShape shape;
  shape.model = &make_model(arm.model, context);
  const std::vector<Parameter>& parameters = shape.model->parameters;
  const std::string owner = "arm '" + arm.name + "'";
  expect_tensors(*shape.model, true, owner, arm.place_of("model"));
  shape.trains = chosen(arm.train, parameters, "'train' of " + owner, arm.place_of("train"));
  if (arm.adapter) {
    const Component& c = arm.adapter->component;
    placed(c.place, [&] {
      if (arm.adapter->written)
        shape.adapter = create<Adapter>(registry_.get(Kind::adapter, c.plugin), c.config);
      else
        shape.core = create<Core>(registry_.get(Kind::core, c.plugin), c.config);
    });
    check_rules(owner, arm.adapter->ranks, parameters);
  }
  for (const Parameter& p : parameters) {
    if (!p.adaptable) continue;
    AdaptedMatrix& m = shape.matrices.emplace_back(AdaptedMatrix{p.name, p.shape.at(0), p.shape.at(1), 0, p.layer});
    if (!arm.adapter) continue;
    const RankRule& rule = rule_of(p, arm.adapter->ranks);
    const std::int64_t limit = std::min(m.rows, m.cols);
    if (rule.rank > limit)
      throw Error(ErrorKind::usage, rule.place.line ? rule.place : arm.place,
                  owner + " has rank " + std::to_string(rule.rank) + ", but " + p.name + " " + text_of(p.shape) +
                      " has only min(m, n) = " + std::to_string(limit) + " singular directions")
          .hint("choose an adapter rank of at most " + std::to_string(limit));
    shape.give_rank(m, rule.rank);
  }
  if (arm.steps) shape.steps = *arm.steps;
  if (arm.budget) {
    const std::int64_t parameters_each = shape.adapter_parameters();
    if (parameters_each == 0)
      throw Error(ErrorKind::usage, arm.place_of("budget"),
                  owner + " has a budget in adapter parameters x steps, but no adapter parameters")
          .hint("give it \"steps\" instead");
    shape.steps = *arm.budget / parameters_each;
    if (shape.steps < 1)
      throw Error(ErrorKind::usage, arm.place_of("budget"),
                  "the budget of " + owner + ", " + std::to_string(*arm.budget) + ", is below one step of its " +
                      std::to_string(parameters_each) + " adapter parameters");
  }
  check_steps(arm, shape.steps);
  return shape;
}

AdapterTensors tensors_of(const Adapter& adapter, const AdaptedMatrix& matrix) {
  AdapterTensors tensors;
  adapter.tensors(tensors, {matrix.name, matrix.rows, matrix.cols, matrix.rank});
  return tensors;
}

void ArmShape::give_rank(AdaptedMatrix& matrix, std::int64_t K) const {
  matrix.rank = K;
  matrix.alpha = core && K > 0 ? core->alpha(K) : Shape{};
}

std::int64_t ArmShape::tensor_parameters() const {
  std::int64_t sum = 0;
  for (const AdaptedMatrix& m : matrices) {
    if (m.rank == 0) continue;
    const AdapterTensors tensors = tensors_of(*adapter, m);
    for (const AdapterTensors::Tensor& t : tensors.all()) sum = checked_sum({sum, element_count(t.shape)});
  }
  return sum;
}

std::int64_t ArmShape::adapter_parameters() const {
  if (adapter) return tensor_parameters();
  std::int64_t sum = 0;
  for (const AdaptedMatrix& m : matrices) sum = checked_sum({sum, checked_product({m.rank, checked_sum({m.rows, m.cols})})});
  return sum;
}

std::int64_t ArmShape::trainable_parameters() const {
  if (adapter) return checked_sum({tensor_parameters(), trained_weights()});
  std::int64_t sum = 0;
  for (const AdaptedMatrix& m : matrices) {
    if (m.rank == 0) continue;
    sum = checked_sum({sum, element_count(m.alpha)});
    if (core->trains_factors()) sum = checked_sum({sum, checked_product({m.rank, checked_sum({m.rows, m.cols})})});
  }
  return checked_sum({sum, trained_weights()});
}

std::int64_t ArmShape::trained_weights() const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < trains.size(); ++i)
    if (trains[i]) sum = checked_sum({sum, element_count(model->parameters[i].shape)});
  return sum;
}

std::int64_t ArmShape::largest_rank() const {
  std::int64_t most = 0;
  for (const AdaptedMatrix& m : matrices) most = std::max(most, m.rank);
  return most;
}

const Data& Materials::data(const DataSpec& spec) const { return *data_.at(text_of(spec.source)); }

TrialInfo info_of(const TrialKey& key, const Arm& arm, const ArmShape& shape) {
  return {key.arm,
          key.base,
          key.draw,
          key.seed,
          shape.steps,
          arm.data.batch,
          arm.data.sequence,
          shape.matrices,
          arm.adapter ? arm.adapter->basis : "",
          arm.adapter ? arm.adapter->core : "",
          arm.data.fresh,
          shape.core && shape.core->trains_factors()};
}

}  // namespace khost
