// KEY=VALUE of --set: which keys there are says share/khost.manifest.schema.json, which is made of their declaration
// (manifest/keys.hpp); names of arms, bases and probes, and what stands there now, says the manifest; a plugin's own keys says
// the plugin.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "artifact/share.hpp"
#include "completes.hpp"
#include "manifest/overlay.hpp"
#include "manifest/series.hpp"
#include "plugin/registry.hpp"

namespace khost {

namespace {

// Of a series the first of its experiments: what is set, is set in all of them.
Json manifest_at(const std::string& path) try {
  if (!std::filesystem::is_regular_file(path)) return {};
  const auto series = read_series(path);
  return load_manifest(series ? series->manifests.at(0) : path, {});
} catch (const std::exception&) {
  return {};
}

std::string text_at(const Json* object, const char* key) {
  const Json* found = object && object->is_object() ? object->find(key) : nullptr;
  return found && found->is_string() ? found->as_string() : "";
}

// A place in a manifest: what may stand there and what does, as far as that is known.
struct KeyPlace {
  std::string key;
  const Json* schema = nullptr;
  const Json* written = nullptr;
  std::optional<Field> field = {};  // of a plugin's own key
  std::string parent = {};
  std::string doc = {};
};

class Keys {
 public:
  Keys(const Json& schema, const Json& manifest) : definitions_(schema.at("$defs")), manifest_(manifest) {}

  std::vector<Candidate> complete(const std::string& typed) const {
    KeyPlace at{"", definitions_.find("experiment"), manifest_.is_object() ? &manifest_ : nullptr};
    for (std::size_t begin = 0;;) {
      const std::vector<KeyPlace> all = within(at);
      const std::string_view rest = std::string_view(typed).substr(begin);
      // Names may hold dots themselves: the longest that the path goes on with.
      const KeyPlace* longest = nullptr;
      for (const KeyPlace& each : all)
        if (rest.starts_with(each.key) && rest.size() > each.key.size() &&
            (rest[each.key.size()] == '.' || rest[each.key.size()] == '=') && (!longest || each.key.size() > longest->key.size()))
          longest = &each;
      const std::string before = typed.substr(0, begin);
      if (!longest) return keys(all, before);
      begin += longest->key.size() + 1;
      at = *longest;
      if (typed[begin - 1] == '=') return values(at, typed.substr(0, begin));
    }
  }

 private:
  const Json* resolved(const Json* schema) const {
    const std::string ref = text_at(schema, "$ref");
    return ref.empty() ? schema : definitions_.find(ref.substr(ref.rfind('/') + 1));
  }

  static const Json* part(const Json* object, const char* key) {
    const Json* found = object && object->is_object() ? object->find(key) : nullptr;
    return found && found->is_object() ? found : nullptr;
  }

  static bool allows(const Json* schema, std::string_view type) {
    const Json* types = schema ? schema->find("type") : nullptr;
    if (!types) return false;
    if (types->is_string()) return types->as_string() == type;
    return std::ranges::any_of(types->as_list(), [&](const Json& each) { return each.as_string() == type; });
  }

  // The plugin of a component, which an arm's or a base's patch leaves to the experiment's.
  std::string plugin_of(const KeyPlace& at) const {
    const std::string own = text_at(at.written, "plugin");
    return own.empty() && manifest_.is_object() ? text_at(manifest_.find(at.key), "plugin") : own;
  }

  std::vector<KeyPlace> within(const KeyPlace& at) const {
    std::vector<KeyPlace> all;
    const Json* schema = resolved(at.schema);
    const auto add = [&](const std::string& key, const Json* its, const Json* written, const std::string& doc) -> KeyPlace& {
      return all.emplace_back(KeyPlace{key, its, written, {}, at.key, doc});
    };
    const Json* properties = part(schema, "properties");
    if (properties)
      for (const JsonMember& p : properties->as_object())
        if (p.key != "include")  // it is read before settings are
          add(p.key, &p.value, at.written && at.written->is_object() ? at.written->find(p.key) : nullptr,
              text_at(&p.value, "description"));
    if (at.written && at.written->is_list()) {
      for (const Json& entry : at.written->as_list())
        for (const char* name : {"as", "plugin", "id"})
          if (const std::string found = text_at(&entry, name); !found.empty()) {
            add(found, part(schema, "items"), &entry, text_at(&entry, "statement"));
            break;
          }
    } else if (at.written && at.written->is_object()) {
      for (const JsonMember& m : at.written->as_object())
        if (!properties || !properties->find(m.key)) add(m.key, part(schema, "additionalProperties"), &m.value, "");
    }
    if (properties && properties->find("plugin")) add_fields(all, at);
    return all;
  }

  // A plugin's own keys. It is loaded for that, as khost inspect would: from where this user's plugins are, not from the
  // manifest's plugin_path, as nobody has decided yet to run what lies there.
  void add_fields(std::vector<KeyPlace>& all, const KeyPlace& at) const {
    const std::string plugin = plugin_of(at);
    if (plugin.empty()) return;
    try {
      const Registry registry(Registry::default_folders());
      for (const Field& field : describe(registry.find(plugin).front(), nullptr).schema.fields) {
        auto same = std::ranges::find(all, field.name, &KeyPlace::key);
        if (same == all.end()) same = all.insert(all.end(), KeyPlace{field.name, nullptr, nullptr, {}, at.key, ""});
        same->field = field;
        if (same->doc.empty()) same->doc = field.doc;
      }
    } catch (const Error&) {  // khost inspect says why
    }
  }

  // What a key has now, or has when nobody says anything: "now 32: ".
  static std::string value_words(const KeyPlace& at, const Json* schema) {
    const Json* usual = at.field ? &at.field->default_value : schema ? schema->find("default") : nullptr;
    const Json* value = at.written ? at.written : usual;
    if (!value || value->is_null() || value->is_object() || value->is_list()) return "";
    return (at.written ? "now " : "default ") + value->text() + ": ";
  }

  std::vector<Candidate> keys(const std::vector<KeyPlace>& all, const std::string& before) const {
    std::vector<Candidate> found;
    for (const KeyPlace& each : all) {
      const Json* schema = resolved(each.schema);
      const bool is_list = each.written && each.written->is_list() && !text_at(part(schema, "items"), "$ref").empty();
      const bool has_parts = part(schema, "properties") || is_list || (each.written && each.written->is_object());
      const bool is_value = !has_parts || allows(schema, "string") || allows(schema, "integer");
      const std::string doc = value_words(each, schema) + each.doc;
      if (has_parts) found.push_back({before + each.key + ".", each.doc});
      if (is_value) found.push_back({before + each.key + "=", doc});
    }
    return found;
  }

  std::vector<Candidate> values(const KeyPlace& at, const std::string& before) const {
    std::vector<Candidate> found;
    const auto add = [&](const std::string& word, const std::string& doc) { found.push_back({before + word, doc}); };
    const Json* schema = resolved(at.schema);
    if (const Json* choices = schema ? schema->find("enum") : nullptr)
      for (const Json& each : choices->as_list()) add(each.as_string(), "");
    if (at.field) {
      for (const std::string& each : at.field->choices) add(each, "");
      if (at.field->type == FieldType::boolean) add("true", ""), add("false", "");
    }
    if (at.key == "plugin" || at.key == "core") {
      const std::string& wanted = at.key == "plugin" ? at.parent : at.key;
      std::optional<Kind> kind = Kind::probe;  // whose components have names of their own
      for (const Kind each : {Kind::compute, Kind::model, Kind::optimizer, Kind::data, Kind::adapter, Kind::core})
        if (wanted == name_of(each)) kind = each;
      for (const Candidate& each : plugin_names(kind)) add(each.word, each.doc);
    }
    return found;
  }

  const Json& definitions_;
  const Json& manifest_;
};

}  // namespace

std::vector<Candidate> completes::settings(const Typed& typed) {
  const std::string file = share_file("khost.manifest.schema.json");
  if (file.empty()) return {};
  const Json schema = parse_json_file(file), manifest = manifest_at(path_of(typed.first("MANIFEST")));
  return Keys(schema, manifest).complete(typed.word);
}

}  // namespace khost
