// Finds, judges and loads plugins. Nothing is ever unloaded.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "khost/plugin.hpp"

namespace khost {

struct Plugin {
  std::string path;  // of the shared library
  const khost_descriptor* descriptor = nullptr;
  std::string name() const { return descriptor->name; }
  Kind kind() const { return static_cast<Kind>(descriptor->kind); }
};

class Registry {
 public:
  // Folders in the order they are searched: the manifest's plugin_path, $KHOST_PLUGIN_PATH, the folder beside the host
  // (<bin>/../plugins), the installed one.
  explicit Registry(std::vector<std::string> folders);
  static std::vector<std::string> default_folders(const std::vector<std::string>& manifest_paths = {});

  // The plugin NAME of that kind, loaded at the first call from the first folder that has NAME.so. Throws a plugin Error: not
  // found (the folders tried, the nearest names), unfit (why, both sides, the mend), another kind.
  const Plugin& get(Kind kind, std::string_view name);

  // Everything in all folders: what loads, and for what does not, the reason.
  struct Listing {
    std::vector<const Plugin*> plugins;
    std::vector<std::pair<std::string, std::string>> refused;
  };
  Listing list();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Judges a file before any of its code runs; returns the entry's inline part. Throws a plugin Error.
struct Judged {
  std::uint32_t api_version;
  std::string fingerprint;
};
Judged judge_plugin_file(const std::string& path);

// A component with the name it has in messages and records, its resolved configuration, and a guard around every call.
Description describe(const Plugin& plugin, const Json* resolved);
Json resolve_config(const Plugin& plugin, const Json& given, std::vector<std::string>* warnings = nullptr);

template <class T>
std::shared_ptr<T> create(const Plugin& plugin, const Json& resolved, void* context = nullptr);  // Model, Optimizer, Data, Probe

// Runs f; whatever it throws is rethrown as a khost Error with `frame` ("probe 'snr' in observe") added. An exception that is not
// khost's becomes ErrorKind::plugin.
template <class F>
decltype(auto) call_plugin(std::string_view frame, F&& f);

}  // namespace khost

#include "plugin/registry_impl.hpp"
