#include "plan/materials.hpp"

#include <algorithm>
#include <set>

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
    made = create<Data>(registry.get(Kind::data, spec->source.plugin), spec->source.config, &context);
  }
  const std::int64_t vocabulary = data(experiment.data).vocabulary();
  for (const DataSpec* spec : specs)
    if (data(*spec).vocabulary() != vocabulary)
      throw Error(ErrorKind::usage, spec->source.place,
                  "this data source has a vocabulary of " + std::to_string(data(*spec).vocabulary()) + ", the experiment's has " +
                      std::to_string(vocabulary) + "; what shares a model must share a vocabulary");

  ModelContext context{vocabulary, longest};
  model_ = create<Model>(registry.get(Kind::model, experiment.model.plugin), experiment.model.config, &context);
  parameters_ = model_->parameters();
  for (const Arm& arm : experiment.arms) {
    if (!arm.adapter) continue;
    for (const Parameter& p : parameters_) {
      if (!p.adaptable) continue;
      const std::int64_t limit = std::min(p.shape.at(0), p.shape.at(1));
      if (arm.adapter->rank > limit)
        throw Error(ErrorKind::usage, arm.place,
                    "arm '" + arm.name + "' has rank " + std::to_string(arm.adapter->rank) + ", but " + p.name + " " +
                        text_of(p.shape) + " has only min(m, n) = " + std::to_string(limit) + " singular directions")
            .hint("choose an adapter rank of at most " + std::to_string(limit));
    }
  }
}

std::vector<AdaptedMatrix> Materials::matrices(const std::optional<AdapterSpec>& adapter) const {
  std::vector<AdaptedMatrix> matrices;
  if (!adapter) return matrices;
  for (const Parameter& p : parameters_)
    if (p.adaptable) matrices.push_back({p.name, p.shape.at(0), p.shape.at(1), adapter->rank, p.layer});
  return matrices;
}

const Data& Materials::data(const DataSpec& spec) const { return *data_.at(text_of(spec.source)); }

}  // namespace khost
