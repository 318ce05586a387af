// From a plugin's file to its components: judges, loads and calls it. Nothing is ever unloaded: closing OpenBLAS at exit, for
// one, crashes its workers. All of this may be called from several threads at once.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "khost/plugin.hpp"
#include "plugin/call.hpp"
#include "plugin/guarded.hpp"

namespace khost {

// One component of a loaded file; lives as long as the process.
struct Plugin {
  std::string path;  // of the shared library
  const khost_descriptor* descriptor = nullptr;
  std::string content = {};  // hash of what was loaded (plugin/content.hpp)
  std::string name() const { return descriptor->name; }
  Kind kind() const { return static_cast<Kind>(descriptor->kind); }
  bool policy() const { return descriptor->policy != 0; }
};

// Judges a file before any of its code runs; returns the entry's inline part. Throws a plugin Error.
struct Judged {
  std::uint32_t api_version;
  std::string fingerprint;
};
Judged judge_plugin_file(const std::string& path);

// Judges, loads and checks one file: NAME.so, whose components are all called NAME and differ in kind. A file is loaded once
// per process. Throws a plugin Error.
std::span<const Plugin> load_plugin_file(const std::string& path);

// What messages call it: "probe 'snr'".
std::string title_of(const Plugin& plugin);

// The schema and, for a probe, the signals of the resolved configuration (null: of the defaults), which are checked. Throws a
// plugin Error.
Description describe(const Plugin& plugin, const Json* resolved, const TrialInfo* trial = nullptr);

// `given` checked against the plugin's schema, with defaults filled in.
Json resolve_config(const Plugin& plugin, const Json& given, std::vector<std::string>* warnings = nullptr);

// How good a compute plugin says that it is on this CPU; 0 or less: it cannot run.
int score_of(const Plugin& plugin);

// What the plugin's create makes, never null. `context` is a ModelContext*, a DataContext* or null, by kind. Throws what the
// plugin reports, as an Error of the kind it had there.
void* create_instance(const Plugin& plugin, Kind kind, const Json& resolved, void* context);

template <class T>
inline constexpr Kind kind_of = Kind::compute;
template <>
inline constexpr Kind kind_of<Model> = Kind::model;
template <>
inline constexpr Kind kind_of<Optimizer> = Kind::optimizer;
template <>
inline constexpr Kind kind_of<Data> = Kind::data;
template <>
inline constexpr Kind kind_of<Probe> = Kind::probe;
template <>
inline constexpr Kind kind_of<Adapter> = Kind::adapter;
template <>
inline constexpr Kind kind_of<Core> = Kind::core;

void destroy_instance(const Plugin& plugin, void* instance) noexcept;

// T: Model, Optimizer, Data, Probe, Adapter or Core, as guarded() gives it. Destroyed by the plugin that made it.
template <class T>
std::shared_ptr<T> create(const Plugin& plugin, const Json& resolved, void* context = nullptr) {
  static_assert(kind_of<T> != Kind::compute, "T is the interface itself: Model, Optimizer, Data, Probe, Adapter or Core");
  std::shared_ptr<T> made(static_cast<T*>(create_instance(plugin, kind_of<T>, resolved, context)),
                          [&plugin](T* instance) { destroy_instance(plugin, instance); });
  return guarded(std::move(made), title_of(plugin));
}

}  // namespace khost
