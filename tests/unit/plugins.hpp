// The plugins of this build, loaded without the registry; `naive` and `bidiagonal` are those of docs/plugins.
#pragma once

#include <dlfcn.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "khost/plugin.hpp"

namespace khost::test {

inline const khost_descriptor& plugin_descriptor(const std::string& name) {
  const std::string path =
      std::string(KHOST_BINARY_DIR) + (name == "naive" || name == "bidiagonal" ? "/tests/readme/" : "/plugins/") + name + ".so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  const auto* entry = static_cast<const khost_entry*>(dlsym(library, "khost_plugin_entry"));
  if (!entry) throw std::runtime_error(path + " exports no khost_plugin_entry");
  return entry->descriptors[0];
}

// T: the component's interface, Model, Optimizer, Core; with its defaults where `config` says nothing.
template <class T>
std::shared_ptr<T> make(const std::string& plugin, const Json& config = Json(Json::Object{}), void* context = nullptr) {
  const khost_descriptor& descriptor = plugin_descriptor(plugin);
  void* made = nullptr;
  khost_message message{};
  if (descriptor.create(&config, context, &made, &message) != 0) throw std::runtime_error(message.text);
  return {static_cast<T*>(made), descriptor.destroy};
}

// What stands between U and V: "diagonal", "block", "factors". One of each, for good.
inline const Core* core(const std::string& name) {
  static std::map<std::string, std::shared_ptr<Core>> made;
  auto& one = made[name];
  if (!one) one = make<Core>(name);
  return one.get();
}

inline const khost_compute* compute_table(const std::string& name) {
  return name == "portable" ? nullptr : plugin_descriptor(name).compute;
}

// What the backend is given in tests: cblas gets Debian's netlib one.
inline std::string compute_options(const std::string& name) {
  return name == "cblas" ? R"({"library":")" KHOST_NETLIB_CBLAS R"("})" : "{}";
}

}  // namespace khost::test
