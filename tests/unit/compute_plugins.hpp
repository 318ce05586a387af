// The compute plugins of this build, loaded without the registry; `naive` is docs/plugins/compute.md's.
#pragma once

#include <dlfcn.h>

#include <stdexcept>
#include <string>

#include "khost/plugin.hpp"

namespace khost::test {

inline const khost_descriptor& plugin_descriptor(const std::string& name) {
  const std::string path = std::string(KHOST_BINARY_DIR) + (name == "naive" ? "/tests/readme/" : "/plugins/") + name + ".so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  const auto* entry = static_cast<const khost_entry*>(dlsym(library, "khost_plugin_entry"));
  if (!entry) throw std::runtime_error(path + " exports no khost_plugin_entry");
  return entry->descriptors[0];
}

inline const khost_compute* compute_table(const std::string& name) {
  return name == "portable" ? nullptr : plugin_descriptor(name).compute;
}

// What the backend is given in tests: cblas gets Debian's netlib one.
inline std::string compute_options(const std::string& name) {
  return name == "cblas" ? R"({"library":")" KHOST_NETLIB_CBLAS R"("})" : "{}";
}

}  // namespace khost::test
