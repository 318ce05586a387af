// khost inspect NAME: what one plugin is, takes, needs and records; khost inspect --signals: what there is to be read.
#include <iostream>

#include "commands.hpp"
#include "completes.hpp"
#include "inspect/json.hpp"
#include "inspect/text.hpp"
#include "plugin/registry.hpp"

namespace khost {
namespace {

constexpr std::size_t width = 100;

void inspect_plugin(const std::string& name, bool json) {
  const Registry registry(Registry::default_folders());
  const bool is_path = name.find('/') != std::string::npos;
  const std::span<const Plugin> plugins = is_path ? load_plugin_file(name) : registry.find(name);
  if (json) {
    // One object; a list only for a file that holds several components.
    Json::List all;
    for (const Plugin& plugin : plugins) all.push_back(json_of(about(plugin)));
    std::cout << (all.size() == 1 ? all.front() : Json(std::move(all))).pretty() << '\n';
    return;
  }
  for (const Plugin& plugin : plugins) std::cout << (&plugin == &plugins.front() ? "" : "\n") << text_of(about(plugin), width);
}

struct Options {
  std::string name;
  bool signals = false, json = false;
};

void inspect(const Options& o) {
  if (o.signals && !o.name.empty())
    throw Error(ErrorKind::usage, "--signals lists all signals, and takes no PLUGIN")
        .hint("khost inspect " + o.name + " says which of them that one reads");
  if (!o.signals && o.name.empty())
    throw Error(ErrorKind::usage, "inspect needs PLUGIN: a plugin's name, or the path of its file")
        .hint("khost list shows all plugins; khost inspect --signals all signals");
  if (!o.signals) return inspect_plugin(o.name, o.json);
  std::cout << (o.json ? signals_json().pretty() + "\n" : signals_text(width));
}

}  // namespace

Command inspect_command() {
  Command command("inspect", "all of one plugin: parameters, signals, records, costs");
  auto& o = command.values<Options>();
  command.optional_argument("PLUGIN", o.name, "a plugin's name, or the path of its file", {completes::plugins});
  command.flag("signals", o.signals, "all signals that a probe can read, and what a policy can change");
  command.flag("json", o.json, "as JSON, for scripts");
  command.example("inspect snr");
  command.example("inspect --signals");
  command.does([&o] { inspect(o); });
  return command;
}

}  // namespace khost
