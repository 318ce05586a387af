#include "page/picture_specs.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>

#include "artifact/share.hpp"
#include "khost/error.hpp"
#include "manifest/record_path.hpp"
#include "plugin/registry.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

constexpr std::array<std::string_view, 6> forms{"lines", "points", "steps", "dots", "heat", "bars"};
constexpr std::array<std::string_view, 13> keys{"id",      "section", "title", "form",  "x",     "x_title",   "y_title",
                                                "records", "note",    "x_log", "y_log", "where", "references"};

template <class List>
bool is_one_of(std::string_view word, const List& list) {
  return std::ranges::find(list, word) != std::ranges::end(list);
}

std::string text_of(const Json& spec, std::string_view key, std::string otherwise = "") {
  const Json* value = spec.find(key);
  return value ? value->as_string() : otherwise;
}

bool flag_of(const Json& spec, std::string_view key) {
  const Json* value = spec.find(key);
  return value && value->as_bool();
}

std::string pattern_of(const std::string& declared, const std::string& instance, const std::string& plugin) {
  if (plugin.empty()) return declared;
  Component probe;
  probe.plugin = plugin, probe.name = instance;
  const RecordName name = record_name(probe, declared);
  return name.probe + "/" + name.name;
}

std::vector<std::string> placeholders_of(std::string_view pattern) {
  std::vector<std::string> names;
  for (std::size_t open = pattern.find('<'); open != std::string_view::npos; open = pattern.find('<', open + 1))
    names.emplace_back(pattern.substr(open + 1, pattern.find('>', open) - open - 1));
  return names;
}

void check_placeholder(const PictureSpec& spec, const std::string& key, const Place& place) {
  for (const PictureSpec::Shown& shown : spec.records)
    if (const std::vector<std::string> names = placeholders_of(shown.pattern); !is_one_of(key, names))
      throw Error(ErrorKind::usage, place, "'" + key + "' is no placeholder of '" + shown.pattern + "'")
          .hint(did_you_mean(key, names));
}

Reference reference_of(const Json& json) {
  Reference reference{json.at("label").as_string(), {}};
  for (const Json& point : json.at("points").as_list()) {
    if (point.as_list().size() != 2) throw Error(ErrorKind::usage, point.place, "expected [x, y]");
    reference.points.emplace_back(point.as_list()[0].as_number(), point.as_list()[1].as_number());
  }
  return reference;
}

bool is_id(std::string_view text) {
  return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

PictureSpec spec_of(const Json& json, const std::string& instance, const std::string& plugin) {
  for (const JsonMember& member : json.as_object())
    if (!is_one_of(member.key, keys))
      throw Error(ErrorKind::usage, member.place, "a picture has no key '" + member.key + "'")
          .hint(did_you_mean(member.key, keys));
  PictureSpec spec;
  spec.id = json.at("id").as_string();
  if (!is_id(spec.id))
    throw Error(ErrorKind::usage, json.at("id").place, "an id has a-z, 0-9 and - only, found '" + spec.id + "'");
  if (!plugin.empty()) spec.id = instance + "-" + spec.id;
  spec.section = plugin.empty() ? json.at("section").as_string() : instance;
  spec.title = json.at("title").as_string();
  spec.form = text_of(json, "form", spec.form);
  if (!is_one_of(spec.form, forms))
    throw Error(ErrorKind::usage, json.at("form").place, "no form '" + spec.form + "'").hint(did_you_mean(spec.form, forms));
  spec.x = text_of(json, "x", spec.form == "steps" ? "step" : spec.x);
  spec.x_title = text_of(json, "x_title");
  spec.y_title = text_of(json, "y_title");
  spec.note = text_of(json, "note");
  spec.x_log = flag_of(json, "x_log"), spec.y_log = flag_of(json, "y_log");
  const auto add = [&](const std::string& label, const Json& record) {
    const std::string& name = record.as_string();
    if (const std::string fault = plugin.empty() ? "" : fault_of_name(name, NameForm::declared); !fault.empty())
      throw Error(ErrorKind::usage, record.place, "no record can be called '" + name + "': " + fault);
    spec.records.push_back({label, pattern_of(name, instance, plugin)});
  };
  if (const Json& records = json.at("records"); records.is_object())
    for (const JsonMember& m : records.as_object()) add(m.key, m.value);
  else
    for (const Json& record : records.as_list()) add(records.as_list().size() > 1 ? record.as_string() : "", record);
  if (spec.records.empty()) throw Error(ErrorKind::usage, json.at("records").place, "a picture needs a record");
  constexpr std::array<std::string_view, 3> other{"arm", "rank", "step"};
  if (!is_one_of(spec.x, other) && spec.x.find('/') == std::string::npos) check_placeholder(spec, spec.x, json.at("x").place);
  if (const Json* where = json.find("where"))
    for (const JsonMember& m : where->as_object()) {
      check_placeholder(spec, m.key, m.place);
      if (m.key == spec.x) throw Error(ErrorKind::usage, m.place, "<" + m.key + "> is on the x axis and cannot be held too");
      spec.where[m.key] = m.value.as_string();
    }
  if (const Json* references = json.find("references"))
    for (const Json& r : references->as_list()) spec.references.push_back(reference_of(r));
  return spec;
}

// The instances of probes in a resolved manifest, each with its plugin, in the order in which arms first have them.
std::vector<std::pair<std::string, std::string>> instances_of(const std::string& manifest) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto add = [&](const Json& arm) {
    for (const char* key : {"probes!", "probes"})
      if (const Json* probes = arm.find(key))
        for (const Json& probe : probes->as_list()) {
          const std::string plugin = text_of(probe, "plugin");
          const std::pair of{text_of(probe, "as", plugin), plugin};
          if (std::ranges::none_of(all, [&](const auto& known) { return known.first == of.first; })) all.push_back(of);
        }
  };
  const Json json = parse_json(manifest, "resolved.manifest");
  add(json);
  for (const char* list : {"arms", "bases"})
    if (const Json* group = json.find(list); group && group->is_object())
      for (const JsonMember& member : group->as_object()) {
        add(member.value);
        for (const char* key : {"arms!", "arms"})
          if (const Json* of_base = member.value.find(key))
            for (const JsonMember& arm : of_base->as_object()) add(arm.value);
      }
  return all;
}

// Beside the plugin, or where that is no longer, beside one of its name that this khost would load; "" when there is none.
std::string pictures_of_plugin(const fs::path& plugin) {
  const fs::path beside = fs::path(plugin).replace_extension(".pictures.json");
  std::error_code none;
  if (fs::is_regular_file(beside, none)) return beside;
  if (fs::exists(plugin, none)) return "";
  for (const std::string& folder : Registry::default_folders())
    if (const fs::path other = folder / beside.filename(); fs::is_regular_file(other, none)) return other;
  return "";
}

// Of a run that knows what its probes declare.
void name_undeclared(const PictureSpec& spec, const Run& run, const std::string& path, std::vector<std::string>& faults) {
  std::vector<std::string> declared;
  for (const Definition& d : run.definitions) declared.push_back(d.probe + "/" + d.name);
  if (declared.empty()) return;
  for (const PictureSpec::Shown& shown : spec.records)
    if (!is_one_of(shown.pattern, declared)) {
      const std::string near = did_you_mean(shown.pattern, declared);
      faults.push_back(path + ": picture '" + spec.id + "': its probe declares no record '" + shown.pattern + "'" +
                       (near.empty() ? "" : "; " + near));
    }
}

}  // namespace

std::optional<Placeholders> placeholders_in(std::string_view pattern, std::string_view name) {
  Placeholders found;
  while (!pattern.empty()) {
    if (pattern.front() != '<') {
      if (name.empty() || name.front() != pattern.front()) return std::nullopt;
      pattern.remove_prefix(1), name.remove_prefix(1);
      continue;
    }
    const std::size_t close = pattern.find('>');
    const std::string key(pattern.substr(1, close - 1));
    pattern.remove_prefix(close + 1);
    // As much as can be, up to the next '/': what follows decides.
    const std::size_t most = std::min(name.find('/'), name.size());
    for (std::size_t n = most; n > 0; --n)
      if (const auto rest = placeholders_in(pattern, name.substr(n))) {
        found.emplace_back(key, name.substr(0, n));
        found.insert(found.end(), rest->begin(), rest->end());
        return found;
      }
    return std::nullopt;
  }
  return name.empty() ? std::optional(found) : std::nullopt;
}

std::vector<PictureSpec> read_picture_specs(const Json& json, const std::string& instance, const std::string& plugin) {
  std::vector<PictureSpec> specs;
  for (const Json& one : json.as_list()) specs.push_back(spec_of(one, instance, plugin));
  return specs;
}

std::vector<PictureSpec> picture_specs(const Run& run, std::vector<std::string>& faults) {
  std::vector<PictureSpec> specs;
  const auto read = [&](const std::string& path, const std::string& instance, const std::string& plugin) {
    try {
      std::ranges::move(read_picture_specs(parse_json_file(path), instance, plugin), std::back_inserter(specs));
    } catch (const Error& e) {
      faults.push_back(std::string(e.what()));
    }
  };
  if (const std::string own = share_file("report/pictures.json"); !own.empty()) read(own, "", "");
  std::vector<std::pair<std::string, std::string>> instances;
  try {
    instances = instances_of(run.manifest);
  } catch (const Error& e) {
    faults.push_back(std::string(e.what()));
  }
  for (const auto& [instance, plugin] : instances)
    for (const PluginUsed& used : run.plugins) {
      if (used.name != plugin || used.kind != "probe") continue;
      const std::string path = pictures_of_plugin(used.path);
      if (path.empty()) continue;
      const std::size_t before = specs.size();
      read(path, instance, plugin);
      for (std::size_t i = before; i < specs.size(); ++i) name_undeclared(specs[i], run, path, faults);
    }
  return specs;
}

}  // namespace khost
