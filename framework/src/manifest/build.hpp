// From one merged manifest to an Experiment; what read_experiment() does once the file is read and the plugins can be asked.
#pragma once

#include <string>
#include <vector>

#include "manifest/catalog.hpp"
#include "manifest/experiment.hpp"

namespace khost {

// The manifest's "plugin_path", as paths: needed to find the plugins that everything else is validated against.
std::vector<std::string> plugin_path_of(const Json& manifest);

// `manifest` as load_manifest() gives it. Throws as read_experiment() does.
Experiment build_experiment(const Json& manifest, const std::string& manifest_path, Catalog& catalog);

}  // namespace khost
