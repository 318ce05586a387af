// The experiment's live parts that are cheap to make: models and data sources. Made once, shared by plan and engine.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "khost/adapter.hpp"
#include "khost/core.hpp"
#include "khost/data.hpp"
#include "khost/model.hpp"
#include "khost/probe.hpp"
#include "manifest/experiment.hpp"
#include "plan/keys.hpp"
#include "plugin/registry.hpp"

namespace khost {

struct MadeModel {
  std::shared_ptr<const Model> model;
  std::vector<Parameter> parameters;
};

// What an arm is once its model is known.
struct ArmShape {
  const MadeModel* model = nullptr;
  std::vector<AdaptedMatrix> matrices;  // all adaptable ones, with K of the manifest: a policy may resolve another
  std::vector<bool> trains;             // of the model's parameters: trained beside the adapter
  std::int64_t steps = 0;

  std::int64_t adapter_parameters() const;    // sum of K (m + n), or of all tensors
  std::int64_t trainable_parameters() const;  // cores, factors and trained tensors
  std::int64_t trained_weights() const;       // of the trained tensors alone
  std::int64_t largest_rank() const;
  std::int64_t tensor_parameters() const;  // of an adapter that is written in operations
  void give_rank(AdaptedMatrix& matrix, std::int64_t K) const;
  std::shared_ptr<const Core> core;        // of an adapter of U and V; else null
  std::shared_ptr<const Adapter> adapter;  // one that is written in operations; else null
};

class Materials {
 public:
  // Throws when data sources disagree on the vocabulary, a rank exceeds a matrix, a pattern picks nothing, an arm's model lacks a
  // tensor of the bases, a budget is below one step, or a plugin refuses its configuration.
  Materials(const Experiment& experiment, Registry& registry, ArtifactStore& artifacts, int threads);

  const MadeModel& model() const { return *model_; }  // the experiment's, which bases have
  // Its tensors as the base draws them.
  const std::vector<Parameter>& parameters(const BaseRecipe& base) const { return drawn_.at(base.name)->parameters; }
  const ArmShape& arm(const Arm& arm) const { return arms_.at(arm.key()); }
  const Data& data(const DataSpec& spec) const;
  Registry& registry() const { return registry_; }

 private:
  const MadeModel& make_model(const Component& component, const ModelContext& context);
  void expect_tensors(const MadeModel& model, bool others, const std::string& owner, const Place& place) const;
  ArmShape shape(const Arm& arm, const ModelContext& context);

  Registry& registry_;
  std::map<std::string, std::shared_ptr<Data>> data_;  // by plugin and configuration
  std::map<std::string, MadeModel> models_;            // likewise
  const MadeModel* model_ = nullptr;
  std::map<std::string, const MadeModel*> drawn_;  // of bases, by name
  std::map<std::string, ArmShape> arms_;           // by key
};

// What an adapter trains for a matrix with its K, which is at least 1. Throws a plugin Error.
AdapterTensors tensors_of(const Adapter& adapter, const AdaptedMatrix& matrix);

// What probes are told of a trial, with the ranks of its manifest.
TrialInfo info_of(const TrialKey& key, const Arm& arm, const ArmShape& shape);

// "plugin {config}": equal for equal components.
std::string text_of(const Component& component);

}  // namespace khost
