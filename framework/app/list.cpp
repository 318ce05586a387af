// khost list: every plugin that can be found, and why the others cannot be used.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "commands.hpp"
#include "inspect/about.hpp"
#include "plugin/registry.hpp"
#include "report/text.hpp"

namespace khost {
namespace {

void print_json(const Registry& registry, const Registry::Listing& listing) {
  Json::List plugins, refused, hidden, folders;
  for (const Plugin* p : listing.plugins) {
    Json& added = plugins.emplace_back(Json::Object{});
    added.set("kind", name_of(p->kind()));
    added.set("name", p->name());
    added.set("summary", p->descriptor->summary);
    added.set("policy", p->policy());
    added.set("numerics", static_cast<std::int64_t>(p->descriptor->numerics));
    added.set("path", p->path);
  }
  for (const auto& [path, reason] : listing.refused) {
    Json& added = refused.emplace_back(Json::Object{});
    added.set("path", path);
    added.set("reason", reason);
  }
  for (const auto& [path, used] : listing.hidden) {
    Json& added = hidden.emplace_back(Json::Object{});
    added.set("path", path);
    added.set("by", used);
  }
  for (const std::string& folder : registry.folders()) folders.emplace_back(folder);
  Json all{Json::Object{}};
  all.set("plugins", Json(std::move(plugins)));
  all.set("refused", Json(std::move(refused)));
  all.set("hidden", Json(std::move(hidden)));
  all.set("folders", Json(std::move(folders)));
  std::cout << all.pretty() << '\n';
}

// By kind, and policies apart from the probes that only read.
std::vector<std::pair<std::string, std::vector<const Plugin*>>> grouped(const std::vector<const Plugin*>& plugins) {
  std::vector<std::pair<std::string, std::vector<const Plugin*>>> groups;
  for (const Plugin* p : plugins) {
    auto group = std::ranges::find(groups, kind_words(*p), [](const auto& g) { return g.first; });
    if (group == groups.end()) group = groups.insert(groups.end(), {kind_words(*p), {}});
    group->second.push_back(p);
  }
  return groups;
}

void print_text(const Registry& registry, const Registry::Listing& listing) {
  std::size_t width = 0;
  for (const Plugin* p : listing.plugins) width = std::max(width, p->name().size());
  for (const auto& [kind, plugins] : grouped(listing.plugins)) {
    std::cout << kind << '\n';
    for (const Plugin* p : plugins) std::cout << fmt::format("  {:<{}}  {}\n", p->name(), width, p->descriptor->summary);
    std::cout << '\n';
  }
  std::cout << (listing.plugins.empty() ? "no plugins\n"
                                        : "khost inspect NAME: all of one; khost inspect --signals: what a probe can read\n");
  if (!listing.refused.empty()) {
    std::cout << "\nrefused\n";
    for (const auto& [path, reason] : listing.refused) std::cout << indented(reason, 2) << '\n';
  }
  if (!listing.hidden.empty()) {
    std::cout
        << "\nhidden: of two plugins of one name the first folder's is used; to use the other, rename one or change the order\n";
    for (const auto& [path, used] : listing.hidden) std::cout << fmt::format("  {}\n    by {}\n", path, used);
  }
  std::cout << "\nfolders\n";
  for (const std::string& folder : registry.folders()) std::cout << "  " << folder << '\n';
}

}  // namespace

Command list_command() {
  Command command("list", "all plugins, and why some cannot be used");
  auto& json = command.values<bool>();
  command.flag("json", json, "as JSON, for scripts");
  command.does([&json] {
    const Registry registry(Registry::default_folders());
    const Registry::Listing listing = registry.list();
    json ? print_json(registry, listing) : print_text(registry, listing);
  });
  return command;
}

}  // namespace khost
