// Finds plugins by name in the folders where they are looked for.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/loader.hpp"

namespace khost {

// Safe to use from several threads.
class Registry {
 public:
  // Folders in the order they are searched: the manifest's plugin_path, $KHOST_PLUGIN_PATH (':' between), the folder beside the
  // host (<bin>/../plugins), the installed one.
  explicit Registry(std::vector<std::string> folders);
  static std::vector<std::string> default_folders(const std::vector<std::string>& manifest_paths = {});
  const std::vector<std::string>& folders() const { return folders_; }

  // The plugin NAME of that kind, from the first folder that has NAME.so. Throws a plugin Error: not found (the folders tried,
  // the nearest names), unfit (why, both sides, the mend), another kind.
  const Plugin& get(Kind kind, std::string_view name) const;

  // Where NAME.so is, in the first folder that has it; nothing of it is loaded. Of one that is in none: "", or the error of get.
  std::string path_of(std::string_view name) const;
  std::string file_of(std::string_view name) const;

  // All components of the first NAME.so; the errors of get but for the last.
  std::span<const Plugin> find(std::string_view name) const;

  // Everything in all folders, by kind and name: what loads, and for what does not, path and reason. Of two files with one name
  // only the first is used, and listed; `hidden` tells of the others.
  struct Listing {
    std::vector<const Plugin*> plugins;
    std::vector<std::pair<std::string, std::string>> hidden;  // a file, and the one that is used instead
    std::vector<std::pair<std::string, std::string>> refused;
  };
  Listing list() const;

  // The .so files that can be found by name, and into `hidden` those that cannot, each with the one that is found instead.
  std::vector<std::string> files(std::vector<std::pair<std::string, std::string>>* hidden = nullptr) const;

 private:
  std::vector<std::string> folders_;
};

}  // namespace khost
