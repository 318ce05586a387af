// The experiment's live parts that are cheap to make: the model and the data sources. Made once, shared by plan and engine.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "khost/data.hpp"
#include "khost/model.hpp"
#include "manifest/experiment.hpp"
#include "plugin/registry.hpp"

namespace khost {

class Materials {
 public:
  // Throws when data sources disagree on the vocabulary, a rank exceeds a matrix, or a plugin refuses its configuration.
  Materials(const Experiment& experiment, Registry& registry, ArtifactStore& artifacts, int threads);

  const Model& model() const { return *model_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  std::vector<AdaptedMatrix> matrices(const std::optional<AdapterSpec>& adapter) const;  // {} without an adapter
  const Data& data(const DataSpec& spec) const;
  Registry& registry() const { return registry_; }

 private:
  Registry& registry_;
  std::map<std::string, std::shared_ptr<Data>> data_;  // by plugin and configuration
  std::shared_ptr<Model> model_;
  std::vector<Parameter> parameters_;
};

// "plugin {config}": equal for equal components.
std::string text_of(const Component& component);

}  // namespace khost
