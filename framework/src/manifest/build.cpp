#include "manifest/build.hpp"

#include <algorithm>
#include <filesystem>

#include "manifest/arms.hpp"
#include "manifest/bases.hpp"
#include "manifest/claims.hpp"
#include "manifest/overlay.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

struct TopFields {
  std::int64_t khost = 0;
  std::string experiment, title, note, published;
  std::int64_t seeds = 10, steps = 40;
  std::vector<std::string> plugin_path;
  Json include, compute, data, model, optimizer, adapter, bases, arms, probes, claims;

  static void fields(auto& f) {
    f("khost", &TopFields::khost).required().doc("the manifest's format: 1");
    f("experiment", &TopFields::experiment).required().doc("its name: a-z, 0-9, '_' and '-'");
    f("title", &TopFields::title).doc("shown above reports");
    f("note", &TopFields::note).doc("anything; shown in reports");
    f("published", &TopFields::published).doc("the published figures to show beside the run's: a name in share/published");
    f("seeds", &TopFields::seeds).range(1, 100000).doc("how many trial seeds; they are 0, 1, ...");
    f("steps", &TopFields::steps).at_least(1).doc("training steps of every arm");
    f("plugin_path", &TopFields::plugin_path).operational().doc("folders searched for plugins before the usual ones");
    f("include", &TopFields::include).doc("manifests that this one lies over");
    f("compute", &TopFields::compute).doc("the compute backend; without it the best there is");
    f("data", &TopFields::data).required().doc("{\"plugin\": ..., ...}");
    f("model", &TopFields::model).required().doc("{\"plugin\": ..., ...}");
    f("optimizer", &TopFields::optimizer).doc("{\"plugin\": ..., ...}");
    f("adapter", &TopFields::adapter).doc("basis, core and rank; null: none");
    f("bases", &TopFields::bases).doc("the frozen models that are adapted");
    f("arms", &TopFields::arms).doc("the compositions that are compared");
    f("probes", &TopFields::probes).doc("probes and policies of every arm");
    f("claims", &TopFields::claims).doc("predictions fixed before the run");
  }
};

TopFields read_top(const Json& manifest, std::vector<std::string>* warnings) {
  const TopFields top = read_config<TopFields>(resolve(schema_of<TopFields>(), manifest, "the manifest", warnings));
  check_format(manifest.at("khost"));
  check_experiment_name(manifest.at("experiment"));
  return top;
}

class Builder {
 public:
  Builder(const Json& manifest, Catalog& catalog) : manifest_(manifest), reading_{catalog, {}} {
    reading_.swept = expand_sweeps(manifest_, arm_keys());
  }

  Experiment build(const std::string& path) {
    const TopFields top = read_top(manifest_, &reading_.warnings);
    Experiment e;
    e.name = top.experiment;
    e.title = top.title;
    e.published = top.published;
    e.note = top.note;
    e.manifest_path = path;
    e.folder = std::filesystem::absolute(path).parent_path().lexically_normal().string();
    e.plugin_path = plugin_path_of(manifest_);
    for (std::int64_t seed = 0; seed < top.seeds; ++seed) e.seeds.push_back(static_cast<std::uint64_t>(seed));
    if (!top.compute.is_null()) e.compute = read_component(reading_, Kind::compute, top.compute).component;
    e.model = read_component(reading_, Kind::model, top.model).component;
    e.data = read_data(reading_, top.data);
    optimizer_ = read_component(reading_, Kind::optimizer, top.optimizer).component;
    adapter_ = manifest_.find("adapter") ? read_adapter(reading_, top.adapter) : AdapterSpec{};
    e.bases = read_bases(reading_, manifest_);
    const std::vector<ReadProbe> probes = read_probes(reading_, manifest_);
    const std::vector<ReadArm> arms = read_arms(reading_, manifest_, {top.steps, top.seeds, &probes});
    e.claims = read_claims(reading_, manifest_, e.bases, arms);
    for (const ReadArm& arm : arms) e.arms.push_back(arm.arm);
    e.resolved = resolved(top, e, probes);
    for (const std::string& warning : reading_.warnings)
      if (std::find(e.warnings.begin(), e.warnings.end(), warning) == e.warnings.end()) e.warnings.push_back(warning);
    return e;
  }

 private:
  // A manifest again: read, it gives the same experiment and itself.
  Json resolved(const TopFields& top, const Experiment& e, const std::vector<ReadProbe>& probes) const {
    Json out{Json::Object{}};
    out.set("khost", top.khost);
    out.set("experiment", e.name);
    out.set("title", e.title);
    out.set("note", e.note);
    out.set("published", e.published);
    out.set("seeds", top.seeds);
    out.set("steps", top.steps);
    out.set("plugin_path", detail::to_json(e.plugin_path));
    out.set("compute", e.compute ? resolved_json(*e.compute) : Json());
    out.set("data", resolved_json(e.data));
    out.set("model", resolved_json(e.model));
    out.set("optimizer", resolved_json(optimizer_));
    out.set("adapter", resolved_json(adapter_));
    Json bases{Json::Object{}}, arms{Json::Object{}};
    for (const BaseRecipe& base : e.bases) bases.set(base.name, resolved_json(base));
    for (const Arm& arm : e.arms) arms.set(arm.name, resolved_json(arm));
    out.set("bases", std::move(bases));
    out.set("arms", std::move(arms));
    Json::List probe_list, claim_list;
    for (const ReadProbe& probe : probes) probe_list.push_back(resolved_json(probe));
    for (const Claim& claim : e.claims) claim_list.push_back(resolved_json(claim));
    out.set("probes", Json(std::move(probe_list)));
    out.set("claims", Json(std::move(claim_list)));
    return out;
  }

  Json manifest_;
  Reading reading_;
  Component optimizer_;
  std::optional<AdapterSpec> adapter_;
};

}  // namespace

std::vector<Field> manifest_fields() { return schema_of<TopFields>().fields; }

std::vector<std::string> plugin_path_of(const Json& manifest) {
  read_top(manifest, nullptr);
  std::vector<std::string> out;
  if (const Json* folders = manifest.find("plugin_path"))
    for (const Json& folder : folders->as_list()) out.push_back(path_from(folder));
  return out;
}

Experiment build_experiment(const Json& manifest, const std::string& manifest_path, Catalog& catalog) {
  return Builder(manifest, catalog).build(manifest_path);
}

}  // namespace khost
