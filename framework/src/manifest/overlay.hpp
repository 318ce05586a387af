// How one manifest lies over another: objects merge, everything else replaces.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "khost/json.hpp"
#include "manifest/experiment.hpp"

namespace khost {

// What part of a manifest is merged; the parts differ in what a list or a null means.
//   root, arm: "probes" are appended, "probes!" replaces; root: "claims" are appended
//   entries: of "arms" or "bases": null removes the entry, which must be there
enum class Layer { root, arms, arm, bases, plain };

// `patch` over `base`. An object whose "plugin" changes begins anew, but for the keys of "data" that are the host's.
Json overlay(Json base, const Json& patch, Layer layer = Layer::plain);

// Prepares a component for another plugin, as overlay() does.
void change_plugin(Json& component, const std::string& plugin);

// What a file of a manifest holds; nothing where there is no such file.
using ReadManifest = std::function<std::optional<Json>(const std::string& path)>;

// The file with everything it includes beneath it, each file once, then the settings. No "include", no "probes!" at the top, and
// an "optimizer" even if the file has none. Without `read` from the disk.
Json load_manifest(const std::string& path, const std::vector<Setting>& settings);
Json load_manifest(const std::string& path, const std::vector<Setting>& settings, const ReadManifest& read);

// One setting. The path's parts are keys, or in a list an index or the name of an instance or claim. Arms and bases must exist.
void apply_setting(Json& manifest, const Setting& setting);

// Sets one value inside an object of a manifest, its path joined by dots as a setting's; what it makes on the way stands at
// `place`.
void set_at(Json& object, const std::string& path, const Json& value, const Place& place);

// A path written in a manifest, seen from the folder of the file it is written in (a setting: from the current folder).
std::string path_from(const Json& written);

}  // namespace khost
