#include "engine/backends.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string_view>

#include "compute/machine.hpp"

namespace khost {

namespace {

// Those that come with khost and are chosen where none is named, the usual choice first.
constexpr std::string_view shipped[] = {"onednn", "openblas", "blis", "reference"};

}  // namespace

std::unique_ptr<Backend> BackendChoice::make(int threads) const {
  return std::make_unique<Backend>(name, table, options, threads);
}

std::unique_ptr<Backend> BackendChoice::make_in_parts(int threads) const {
  std::vector<std::unique_ptr<Backend>> workers;
  for (int i = 0; i < std::min(threads, artifact_parts); ++i) workers.push_back(make(1));
  return std::make_unique<Backend>(std::move(workers));
}

BackendChoice choose_backend(Registry& registry, const std::optional<std::string>& name, const std::optional<Component>& manifest,
                             std::string* doubt) {
  if (name || manifest) {
    const std::string& wanted = name ? *name : manifest->plugin;
    const Plugin& plugin = registry.get(Kind::compute, wanted);
    if (score_of(plugin) <= 0)
      throw Error(ErrorKind::plugin, "the backend '" + wanted + "' cannot run on this CPU")
          .hint("choose another with --backend; `khost list` shows them");
    return {wanted, plugin.descriptor->compute,
            !name || (manifest && manifest->plugin == *name) ? manifest->config.text() : "{}"};
  }
  BackendChoice best;
  int best_score = 0;
  const Registry::Listing listing = registry.list();
  std::string unsure;
  for (const auto& [path, reason] : listing.refused) {
    const std::string stem = std::filesystem::path(path).stem().string();
    if (std::ranges::find(shipped, stem) != std::end(shipped)) {
      Error error(ErrorKind::plugin,
                  "no backend was named, and the choice is not the usual one: '" + stem + "' is refused: " + reason);
      throw error.hint(stem == backend_of_artifacts
                           ? "mend it (./bootstrap build): bases are made with it, whatever a run's backend"
                           : "mend it (./bootstrap build), or name the one to use: --backend " + std::string(shipped[0]) +
                                 ", or \"compute\" in the manifest");
    }
    unsure += (unsure.empty() ? "" : ", ") + path;
  }
  if (doubt && !unsure.empty())
    *doubt = "refused, and so not looked at for a backend: " + unsure + "; `khost list` says why, --backend names one";
  for (const Plugin* plugin : listing.plugins) {
    if (plugin->kind() != Kind::compute) continue;
    if (std::ranges::any_of(describe(*plugin, nullptr).schema.fields, &Field::required)) continue;  // only where it is named
    if (const int score = score_of(*plugin); score > best_score) {
      best_score = score;
      best = {plugin->name(), plugin->descriptor->compute, "{}"};
    }
  }
  if (best.table) return best;
  Error error(ErrorKind::plugin, "no compute backend can be used");
  for (const auto& [path, reason] : listing.refused) error.hint(path + ": " + reason);
  throw error.hint("`./bootstrap build` builds onednn, openblas and reference");
}

Environment environment_of(const BackendInfo& info, int threads, int jobs) {
  Environment e;
  e.khost = KHOST_VERSION;
  e.backend = info.name, e.library = info.library, e.library_version = info.version, e.kernel = info.kernel;
  e.cpu = cpu_name();
  e.threads = threads, e.jobs = jobs, e.library_threads = info.threads;
  return e;
}

}  // namespace khost
