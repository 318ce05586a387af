#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compare/pairs.hpp"
#include "manifest/parts.hpp"
#include "store/differences.hpp"
#include "store/environment_rows.hpp"

namespace khost {
namespace {

// A hash says no more with all its digits.
std::string value_text(const std::optional<Json>& json, bool is_hash) {
  if (!json) return "";
  if (is_hash) return json->as_string().substr(0, 12);
  return json->is_string() && !json->as_string().empty() ? json->as_string() : json->text();  // "" would be nothing
}

Contrast contrast_of(const std::string& what, const JsonDifference& d) {
  return {what, value_text(d.first, d.of_hashes()), value_text(d.second, d.of_hashes())};
}

bool is_same(const Contrast& a, const Contrast& b) { return a.what == b.what && a.first == b.first && a.second == b.second; }

// What differs in the same way in many places is said once.
void add(std::vector<Contrast>& settings, Contrast setting) {
  const auto same = std::ranges::find_if(settings, [&](const Contrast& s) { return is_same(s, setting); });
  same == settings.end() ? settings.push_back(std::move(setting)) : void(++same->places);
}

// Of an arm that has one rank everywhere, that rank: 33 matrices of 32 are not 33 differences.
Json with_one_rank(Json identity) {
  Json* adapter = identity.find("adapter");
  Json* ranks = adapter && adapter->is_object() ? adapter->find("ranks") : nullptr;
  if (!ranks || !ranks->is_object() || ranks->as_object().empty()) return identity;
  const Json::Object& all = ranks->as_object();
  if (!std::ranges::all_of(all, [&](const JsonMember& m) { return m.value == all.front().value; })) return identity;
  const Json rank = all.front().value;
  adapter->erase("ranks");
  adapter->set("rank", rank);
  return identity;
}

// Is it what the arm was computed with, and not what it is? Bases and needed trials are told by hashes of all that made them.
bool is_environment(const JsonDifference& d) {
  if (d.path.empty() || d.at() == "data.content") return false;  // that is the text
  const std::string &top = d.path.front(), &last = d.path.back();
  return top == "code" || top == "environment" || top == "base" || top.starts_with("needs") || last == "content" ||
         last == "numerics";
}

void compare_manifests(const std::string& first, const std::string& second, std::vector<Contrast>& out) {
  const auto parsed = [](const std::string& text) { return text.empty() ? Json(Json::Object()) : parse_json(text, "run.db"); };
  for (JsonDifference& d : json_differences(parsed(first), parsed(second))) {
    // Each arm and base is written whole: what was changed for all of them stands in each.
    const bool each = d.path.size() > 2 && (d.path[0] == "arms" || d.path[0] == "bases");
    if (each) d.path[1] = "*";
    add(out, contrast_of(d.at(), d));
  }
}

void compare_environments(const Environment& first, const Environment& second, const std::string& prefix,
                          std::vector<Contrast>& out) {
  std::map<std::string, std::string> of_first;
  const auto text = [](const auto& value) { return fmt::format("{}", value); };
  each_member(first, [&](const char* name, const auto& value) { of_first[name] = text(value); });
  each_member(second, [&](const char* name, const auto& value) {
    if (of_first[name] != text(value)) out.push_back({prefix + name, of_first[name], text(value)});
  });
  if (first.notes != second.notes) out.push_back({prefix + "notes", joined(first.notes), joined(second.notes)});
}

// By name: what only one has, and what differs.
void compare_contents(const std::map<std::string, std::string>& first, const std::map<std::string, std::string>& second,
                      std::vector<Contrast>& out) {
  for (const auto& [name, content] : first) {
    const auto other = second.find(name);
    if (other == second.end())
      out.push_back({name, content, ""});
    else if (other->second != content)
      out.push_back({name, content, other->second});
  }
  for (const auto& [name, content] : second)
    if (!first.contains(name)) out.push_back({name, "", content});
}

std::map<std::string, std::string> plugins_of(const Run& run) {
  std::map<std::string, std::string> out;
  for (const PluginUsed& p : run.plugins) out["plugin " + p.name + " (" + p.kind + ")"] = p.content.substr(0, 12);
  return out;
}

std::map<std::string, std::string> bases_of(const Run& run) {
  std::map<std::string, std::string> out;
  for (const BaseMade& b : run.bases)
    out["base " + b.name + (b.draw ? fmt::format(", draw {}", b.draw) : "")] =
        b.hash.substr(0, 12) + (b.how.empty() ? "" : ": " + b.how);
  return out;
}

}  // namespace

void compare_identities(const Pairs& pairs, Comparison& out) {
  using Names = std::vector<std::string>;
  struct Reason {
    Contrast setting;
    std::map<std::string, Names> bases;  // by arm
  };
  std::vector<Reason> reasons;
  std::map<std::string, Names> bases;
  for (const TrialPair& pair : pairs.finished) {
    const std::string arm = pair.arm(), &base = pair.first->key.base;
    if (std::ranges::find(bases[arm], base) != bases[arm].end()) continue;  // one trial speaks for all: others differ by seed
    bases[arm].push_back(base);
    for (const JsonDifference& d : json_differences(with_one_rank(pair.first->identity), with_one_rank(pair.second->identity))) {
      const Contrast setting = contrast_of(d.at(), d);
      if (is_environment(d)) {
        const bool is_said = std::ranges::any_of(out.environment, [&](const Contrast& s) { return is_same(s, setting); });
        if (d.path.front() == "code" && !is_said) out.environment.push_back(setting);
        continue;  // the rest is told of the plugins and bases themselves
      }
      auto same = std::ranges::find_if(reasons, [&](const Reason& r) { return is_same(r.setting, setting); });
      if (same == reasons.end()) same = reasons.insert(same, {setting, {}});
      same->bases[arm].push_back(base);
    }
  }
  for (Reason& r : reasons) {
    Names names;
    for (const auto& [arm, of_arm] : r.bases) names.push_back(of_arm == bases[arm] ? arm : arm + " on " + joined(of_arm));
    r.setting.what = (r.bases == bases && bases.size() > 1 ? "all arms" : joined(names)) + ": " + r.setting.what;
    out.arms.push_back(std::move(r.setting));
  }
}

void compare_settings(const Run& first, const Run& second, Comparison& out) {
  compare_manifests(first.manifest, second.manifest, out.manifest);
  compare_environments(first.environment, second.environment, "", out.environment);
  // A run that goes on has these at its end.
  if (!first.artifacts.backend.empty() && !second.artifacts.backend.empty())
    compare_environments(first.artifacts, second.artifacts, "of bases: ", out.environment);
  compare_contents(plugins_of(first), plugins_of(second), out.environment);
  if (!first.bases.empty() && !second.bases.empty()) compare_contents(bases_of(first), bases_of(second), out.environment);
}

}  // namespace khost
