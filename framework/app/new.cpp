// khost new: a folder that builds, tests and runs, from which a plugin of one's own begins.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "artifact/share.hpp"
#include "artifact/whole_file.hpp"
#include "commands.hpp"
#include "completes.hpp"
#include "manifest/parts.hpp"
#include "plugin/registry.hpp"

namespace khost {
namespace {

namespace fs = std::filesystem;

// share/templates: a folder for each kind, which is a plugin called my_KIND, of class MyKind; and what all of them have.
fs::path templates() {
  for (const std::string& folder : share_folders())
    if (fs::is_directory(fs::path(folder) / "templates")) return fs::path(folder) / "templates";
  throw Error(ErrorKind::usage, "the templates of plugins are not where this khost looks for them: share/templates beside it")
      .hint("install khost as a whole, or set KHOST_SHARE to its share folder");
}

std::vector<std::string> kinds_in(const fs::path& folder) {
  std::vector<std::string> kinds;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename() != "common") kinds.push_back(entry.path().filename());
  std::sort(kinds.begin(), kinds.end());
  return kinds;
}

std::string check_kind(const std::string& kind, const fs::path& folder) {
  const std::vector<std::string> kinds = kinds_in(folder);
  if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return kind;
  throw Error(ErrorKind::usage, fmt::format("there is no template for a plugin of kind '{}'", kind))
      .hint(nearest_and_all(kind, kinds, "kinds"));
}

void check_plugin_name(const std::string& name) {
  const auto fits = [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '_'; };
  if (name.empty() || !std::islower(static_cast<unsigned char>(name[0])) || !std::all_of(name.begin(), name.end(), fits))
    throw Error(ErrorKind::usage, fmt::format("'{}' cannot be a plugin's name", name))
        .hint("a name is made of small letters, digits and '_', and begins with a letter: gradient_norm");
  if (const std::string path = Registry(Registry::default_folders()).path_of(name); !path.empty())
    throw Error(ErrorKind::usage, fmt::format("there is a plugin '{}' already: {}", name, path))
        .hint("of two plugins of one name only one is ever found: choose another name");
}

std::string class_name(const std::string& name) {  // "gradient_norm" -> "GradientNorm"
  std::string made;
  bool begins = true;
  for (const char c : name) {
    if (c != '_') made += begins ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    begins = c == '_';
  }
  return made;
}

struct Names {
  std::string placeholder, name;

  std::string in(std::string text) const {
    const auto replace = [&text](const std::string& from, const std::string& to) {
      for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    };
    replace(placeholder, name);
    replace(class_name(placeholder), class_name(name));
    return text;
  }
};

void copy_folder(const fs::path& from, const fs::path& to, const Names& names) {
  for (const auto& entry : fs::directory_iterator(from)) {
    const fs::path made = to / names.in(entry.path().filename());
    std::ofstream file(made, std::ios::binary);
    file << names.in(std::string(read_whole_file(entry.path(), "template").text()));
    if (!file.flush()) throw Error(ErrorKind::usage, fmt::format("'{}' cannot be written", made.string()));
  }
}

// The folder of this program, unless it is on the PATH: CMake, too, finds a khost whose program is.
std::string folder_to_add() {
  std::error_code unknown;
  const fs::path program = fs::read_symlink("/proc/self/exe", unknown).parent_path();
  const char* given = std::getenv("PATH");
  std::string_view rest = given ? given : "";
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    if (!folder.empty() && fs::equivalent(folder, program, unknown)) return "";
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
  }
  return program;
}

void begin_plugin(const std::string& kind, const std::string& name) {
  const fs::path folder = templates();
  const Names names{"my_" + check_kind(kind, folder), name};
  check_plugin_name(name);
  std::error_code failed;
  if (!fs::create_directory(name, failed))
    throw Error(ErrorKind::usage,
                fmt::format("the folder '{}' cannot be made: {}", name, failed ? failed.message() : "it is there already"));
  copy_folder(folder / "common", name, names);
  copy_folder(folder / kind, name, names);

  std::cout << fmt::format("{}/ holds\n", name);
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(name)) files.push_back(entry.path().filename());
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) std::cout << "  " << file << '\n';
  std::cout << "\nnext\n";
  if (const std::string mine = folder_to_add(); !mine.empty()) std::cout << fmt::format("  export PATH='{}':\"$PATH\"\n", mine);
  std::cout << fmt::format("  cd {0}\n  cmake -B build\n  cmake --build build\n  ctest --test-dir build\n  khost {0}.manifest\n",
                           name);
}

}  // namespace

Command new_command() {
  Command command("new", "begin a plugin: a folder that builds, tests and runs");
  struct Options {
    std::string kind, name;
  };
  auto& o = command.values<Options>();
  command.argument("KIND", o.kind, "probe, policy, optimizer, data, model, op, adapter or compute",
                   {[](const Typed& typed) { return completes::one_of(kinds_in(templates()))(typed); }});
  command.argument("NAME", o.name, "what manifests will call it, and the folder that is made: gradient_norm");
  command.example("new probe gradient_norm");
  command.does([&o] { begin_plugin(o.kind, o.name); });
  return command;
}

}  // namespace khost
