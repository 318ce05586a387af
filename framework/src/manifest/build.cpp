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

ManifestKeys read_top(const Json& manifest, std::vector<std::string>* warnings) {
  const ManifestKeys top = read_config<ManifestKeys>(resolve(schema_of<ManifestKeys>(), manifest, "the manifest", warnings));
  check_format(manifest.at("khost"));
  check_experiment_name(manifest.at("experiment"));
  return top;
}

class Builder {
 public:
  Builder(const Json& manifest, Catalog& catalog) : manifest_(manifest), reading_{catalog, {}} {
    reading_.swept = expand_sweeps(manifest_);
  }

  Experiment build(const std::string& path) {
    Experiment e;
    ManifestKeys& top = e;
    top = read_top(manifest_, &reading_.warnings);
    e.manifest_path = path;
    e.folder = std::filesystem::absolute(path).parent_path().lexically_normal().string();
    e.plugin_path = plugin_path_of(manifest_);
    for (std::int64_t seed = 0; seed < top.seeds; ++seed) e.seeds.push_back(static_cast<std::uint64_t>(seed));
    if (!top.compute.is_null()) e.compute = read_component(reading_, Kind::compute, top.compute).component;
    e.model = read_component(reading_, Kind::model, top.model).component;
    e.data = read_data(reading_, top.data);
    optimizer_ = read_component(reading_, Kind::optimizer, top.optimizer).component;
    adapter_ = read_adapter(reading_, manifest_.find("adapter") ? top.adapter : Json(Json::Object{}));
    e.bases = read_bases(reading_, manifest_);
    const std::vector<ReadProbe> probes = read_probes(reading_, manifest_);
    std::vector<ReadArm> arms = read_arms(reading_, manifest_, e.bases, {top.steps, top.seeds, &probes});
    for (const ReadArm& arm : arms) e.arms.push_back(arm.arm);
    // An arm that every base has in a form of its own runs nowhere as it is written: it is kept in the resolved manifest alone.
    const auto nowhere = [&](const Arm& arm) {
      return std::ranges::none_of(e.bases, [&](const BaseRecipe& base) { return arm.runs_on(base.name); });
    };
    std::erase_if(arms, [&](const ReadArm& arm) { return nowhere(arm.arm); });
    e.claims = read_claims(reading_, manifest_, e.bases, arms);
    e.resolved = resolved(e, probes);
    std::erase_if(e.arms, nowhere);
    for (const std::string& warning : reading_.warnings)
      if (std::find(e.warnings.begin(), e.warnings.end(), warning) == e.warnings.end()) e.warnings.push_back(warning);
    return e;
  }

 private:
  // A manifest again: read, it gives the same experiment and itself.
  Json resolved(const Experiment& e, const std::vector<ReadProbe>& probes) const {
    ManifestKeys keys = e;
    keys.compute = e.compute ? resolved_json(*e.compute) : Json();
    keys.data = resolved_json(e.data);
    keys.model = resolved_json(e.model);
    keys.optimizer = resolved_json(optimizer_);
    keys.adapter = resolved_json(adapter_);
    keys.bases = by_name(e.bases);
    keys.arms = Json(Json::Object{});
    for (const Arm& arm : e.arms) {
      Json* of = &keys.arms;
      if (!arm.on.empty()) {
        Json& base = *keys.bases.find(arm.on);
        if (!base.find("arms!")) base.set("arms!", Json(Json::Object{}));
        of = base.find("arms!");
      }
      Json whole = resolved_json(arm);
      // Over an adapter that is written in operations, one of U and V says that it is none.
      if (adapter_ && adapter_->written && arm.adapter && !arm.adapter->written) whole.find("adapter")->set("plugin", Json());
      of->set(arm.name, std::move(whole));
    }
    keys.probes = list_of(probes);
    keys.claims = list_of(e.claims);
    return resolved_keys(keys);
  }

  static Json by_name(const auto& all) {
    Json out{Json::Object{}};
    for (const auto& each : all) out.set(each.name, resolved_json(each));
    return out;
  }

  static Json list_of(const auto& all) {
    Json::List out;
    for (const auto& each : all) out.push_back(resolved_json(each));
    return out;
  }

  Json manifest_;
  Reading reading_;
  Component optimizer_;
  std::optional<AdapterSpec> adapter_;
};

}  // namespace

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
