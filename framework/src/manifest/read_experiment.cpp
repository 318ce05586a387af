#include "manifest/build.hpp"
#include "manifest/overlay.hpp"

namespace khost {
namespace {

class RegistryCatalog : public Catalog {
 public:
  explicit RegistryCatalog(Registry& registry) : registry_(registry) {}

  Description describe(Kind kind, const std::string& name, const Json* resolved) override {
    return khost::describe(registry_.get(kind, name), resolved);
  }

  bool is_policy(const std::string& probe) override { return registry_.get(Kind::probe, probe).descriptor->policy != 0; }

 private:
  Registry& registry_;
};

LoadedExperiment build(const Json& manifest, const std::string& manifest_path) {
  auto registry = std::make_shared<Registry>(Registry::default_folders(plugin_path_of(manifest)));
  RegistryCatalog catalog(*registry);
  return {build_experiment(manifest, manifest_path, catalog), registry};
}

}  // namespace

LoadedExperiment read_experiment(const std::string& manifest_path, const std::vector<Setting>& settings) {
  return build(load_manifest(manifest_path, settings), manifest_path);
}

LoadedExperiment read_resolved(const std::string& resolved, const std::string& manifest_path) {
  return build(
      load_manifest(manifest_path, {}, [&](const std::string&) { return parse_json(resolved, manifest_path + ", as resolved"); }),
      manifest_path);
}

}  // namespace khost
