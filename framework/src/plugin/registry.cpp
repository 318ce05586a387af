// Where plugins are looked for.
#include "plugin/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/dll/runtime_symbol_info.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <tuple>

namespace khost {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_plain(std::string_view name) { return !name.empty() && name.find('/') == name.npos; }

std::string file_name(std::string_view name) { return std::string(name) + ".so"; }

std::string with_article(Kind kind) {
  const std::string name = kind == Kind::compute ? "compute backend" : kind == Kind::data ? "data source" : name_of(kind);
  return (name[0] == 'a' || name[0] == 'o' ? "an " : "a ") + name;
}

}  // namespace

Registry::Registry(std::vector<std::string> folders) : folders_(std::move(folders)) {}

std::vector<std::string> Registry::default_folders(const std::vector<std::string>& manifest_paths) {
  std::vector<std::string> folders;
  const auto add = [&](const fs::path& folder) {
    if (folder.empty()) return;
    std::error_code ignored;
    fs::path full = fs::absolute(folder, ignored).lexically_normal();
    if (!full.has_filename()) full = full.parent_path();  // "plugins/" and "plugins" are one
    if (std::find(folders.begin(), folders.end(), full.string()) == folders.end()) folders.push_back(full.string());
  };
  for (const std::string& path : manifest_paths) add(path);
  if (const char* variable = std::getenv("KHOST_PLUGIN_PATH")) {
    std::string_view rest = variable;
    while (!rest.empty()) {
      const std::string_view folder = rest.substr(0, rest.find(':'));
      add(folder);
      rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    }
  }
  std::error_code unknown;
  const fs::path program = boost::dll::program_location(unknown);
  if (!unknown) {
    const fs::path prefix = program.parent_path() / "..";
    add(prefix / "plugins");
    add(prefix / KHOST_INSTALLED_PLUGINS);
  }
  return folders;
}

std::vector<std::string> Registry::files(std::vector<std::pair<std::string, std::string>>* hidden) const {
  std::vector<std::string> result;
  std::map<std::string, std::string> seen;
  for (const std::string& folder : folders_) {
    std::vector<fs::path> here;
    std::error_code ignored;
    for (auto it = fs::directory_iterator(folder, ignored); !ignored && it != fs::directory_iterator(); it.increment(ignored))
      if (it->path().extension() == ".so" && is_file(it->path())) here.push_back(it->path());
    std::sort(here.begin(), here.end());
    for (const fs::path& path : here) {
      const auto [first, added] = seen.emplace(path.filename().string(), path.string());
      if (added)
        result.push_back(path.string());
      else if (hidden)
        hidden->emplace_back(path.string(), first->second);
    }
  }
  return result;
}

std::string Registry::path_of(std::string_view name) const {
  if (is_plain(name))
    for (const std::string& folder : folders_)
      if (const fs::path path = fs::path(folder) / file_name(name); is_file(path)) return path.string();
  return "";
}

std::string Registry::file_of(std::string_view name) const {
  if (std::string found = path_of(name); !found.empty()) return found;
  std::vector<std::string> names;
  for (const std::string& path : files()) names.push_back(fs::path(path).stem().string());
  const std::string near = did_you_mean(name, names);
  Error error(ErrorKind::plugin, fmt::format("there is no plugin '{}'{}", name, near.empty() ? "" : "; " + near));
  if (is_plain(name)) {
    error.hint(fmt::format("looked for {} in", file_name(name)));
    for (const std::string& folder : folders_) {
      std::error_code ignored;
      error.hint(fmt::format("  {}{}", folder, fs::is_directory(folder, ignored) ? "" : " (no such folder)"));
    }
  }
  error.hint("`khost list` shows all plugins; more folders: \"plugin_path\" in the manifest, or KHOST_PLUGIN_PATH");
  throw error;
}

std::span<const Plugin> Registry::find(std::string_view name) const { return load_plugin_file(file_of(name)); }

const Plugin& Registry::get(Kind kind, std::string_view name) const {
  const std::span<const Plugin> found = find(name);
  for (const Plugin& plugin : found)
    if (plugin.kind() == kind) return plugin;
  std::vector<std::string> names;
  const Listing all = list();
  for (const Plugin* plugin : all.plugins)
    if (plugin->kind() == kind) names.push_back(plugin->name());
  std::string choices;
  for (const std::string& each : names) choices += (choices.empty() ? "" : ", ") + each;
  throw Error(ErrorKind::plugin, fmt::format("plugin '{}' is {}, not {} ({})", name, with_article(found.front().kind()),
                                             with_article(kind), found.front().path))
      .hint(choices.empty() ? fmt::format("there is no plugin of kind {}; `khost list` shows all", name_of(kind))
                            : fmt::format("plugins of kind {}: {}", name_of(kind), choices));
}

Registry::Listing Registry::list() const {
  Listing listing;
  for (const std::string& path : files(&listing.hidden)) {
    try {
      for (const Plugin& plugin : load_plugin_file(path)) listing.plugins.push_back(&plugin);
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::interrupted) throw;
      listing.refused.emplace_back(path, e.what());
    }
  }
  std::stable_sort(listing.plugins.begin(), listing.plugins.end(), [](const Plugin* a, const Plugin* b) {
    return std::tuple(a->kind(), std::string_view(a->descriptor->name)) <
           std::tuple(b->kind(), std::string_view(b->descriptor->name));
  });
  return listing;
}

}  // namespace khost
