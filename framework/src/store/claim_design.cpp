#include "store/claim_design.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "khost/hash.hpp"
#include "manifest/arms.hpp"
#include "manifest/bases.hpp"
#include "manifest/record_path.hpp"
#include "plan/code_identity.hpp"
#include "stats/claims.hpp"

namespace khost {
namespace {

class Designer {
 public:
  Designer(const Experiment& experiment, const Registry& registry) : experiment_(experiment), registry_(registry) {}

  Json trials(const Claim& claim) const {
    Json arms{Json::Object{}}, bases{Json::Object{}};
    std::vector<const BaseRecipe*> on;
    for (const BaseRecipe& base : experiment_.bases)
      if (reads(claim, base)) on.push_back(&base);
    // An arm's forms on other bases are none of its business.
    const std::function<void(const Arm&)> add = [&](const Arm& arm) {
      if (arms.find(arm.key()) || std::ranges::none_of(on, [&](const BaseRecipe* b) { return arm.runs_on(b->name); })) return;
      arms.set(arm.key(), design(arm));
      for (const Arm& other : experiment_.arms)
        if (std::ranges::find(arm.needs, other.name) != arm.needs.end()) add(other);
    };
    for (const Arm* arm : arms_of(claim, experiment_)) add(*arm);
    for (const BaseRecipe* base : on) bases.set(base->name, design(*base));
    return Json::object({{"arms", std::move(arms)}, {"bases", std::move(bases)}});
  }

 private:
  bool reads(const Claim& claim, const BaseRecipe& base) const {
    for (const std::string& path : claim.paths())
      if (const std::string on = parse_record_path(path)->base; on.empty() || on == base.name) return true;
    return false;
  }

  // A file counts by what is in it: else another text under the name of the first would be the same trials. A corpus has a name
  // alone, which is the same on every machine.
  void strip(Kind kind, Component& c) const {
    const Schema schema = describe(registry_.get(kind, c.plugin), &c.config).schema;
    c.config = with_names_replaced(schema.fields, identity_of(schema, c.config),
                                   [&](const Field&, const Json& name) { return content(name); });
  }

  Json content(const Json& name) const {
    const auto [at, is_new] = contents_.try_emplace(name.text());
    if (is_new) at->second = content_of(name, experiment_.folder);
    return at->second;
  }

  Json design(Arm arm) const {
    strip(Kind::model, arm.model);
    strip(Kind::data, arm.data.source);
    strip(Kind::optimizer, arm.optimizer);
    if (arm.adapter) strip(arm.adapter->written ? Kind::adapter : Kind::core, arm.adapter->component);
    for (Component& probe : arm.probes) strip(Kind::probe, probe);
    arm.seeds.reset();
    return resolved_json(arm);
  }

  Json design(BaseRecipe base) const {
    if (!base.file.empty()) return Json::object({{"file", sha256_file(base.file)}});
    strip(Kind::model, base.model);
    strip(Kind::data, base.data.source);
    strip(Kind::optimizer, base.optimizer);
    base.expected_steps.reset();
    base.base_draws = 1;
    return Json::object({{"recipe", resolved_json(base)}, {"model", design_of_model()}});
  }

  Json design_of_model() const {
    Component model = experiment_.model;
    strip(Kind::model, model);
    return Json::object({{"plugin", model.plugin}, {"config", model.config}});
  }

  const Experiment& experiment_;
  const Registry& registry_;
  mutable std::map<std::string, Json> contents_;  // of names: many arms and claims have the same
};

}  // namespace

std::vector<const Arm*> arms_of(const Claim& claim, const Experiment& experiment) {
  std::set<std::string> names;
  for (const std::string& path : claim.paths()) names.insert(parse_record_path(path)->arm);
  std::vector<const Arm*> out;
  for (const Arm& arm : experiment.arms)
    if (names.contains(arm.name)) out.push_back(&arm);
  return out;
}

std::int64_t family_size(const Experiment& experiment) {
  std::int64_t size = 0;
  for (const Claim& claim : experiment.claims) size += std::ssize(bases_of(claim, experiment));
  return size;
}

std::vector<ClaimDesign> designs_of(const Experiment& experiment, const Registry& registry) {
  const Designer designer(experiment, registry);
  Json members{Json::Object{}};  // their order in the manifest is nothing that is fixed: hashed by name
  for (const Claim& claim : experiment.claims)
    members.set(claim.id, Json::object({{"fixed", hash_of(claim)}, {"bases", detail::to_json(bases_of(claim, experiment))}}));
  const std::string family = short_hash(members.canonical());
  std::vector<ClaimDesign> out;
  for (const Claim& claim : experiment.claims) {
    ClaimDesign d{claim.id, hash_of(claim), short_hash(designer.trials(claim).canonical()), family, ""};
    d.key = short_hash(
        Json::object(
            {{"experiment", experiment.name}, {"claim", d.id}, {"fixed", d.fixed}, {"trials", d.trials}, {"family", d.family}})
            .canonical());
    out.push_back(std::move(d));
  }
  return out;
}

}  // namespace khost
