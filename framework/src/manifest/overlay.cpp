#include "manifest/overlay.hpp"

#include <algorithm>
#include <filesystem>

#include "manifest/parts.hpp"

namespace khost {
namespace fs = std::filesystem;

namespace {

Layer below(Layer layer, std::string_view key) {
  if (layer == Layer::root) return key == "arms" ? Layer::arms : key == "bases" ? Layer::bases : Layer::plain;
  return layer == Layer::arms ? Layer::arm : Layer::plain;
}

const std::string* plugin_name(const Json& object) {
  const Json* plugin = object.find("plugin");
  return plugin && plugin->is_string() ? &plugin->as_string() : nullptr;
}

JsonMember* member_of(Json& object, std::string_view key) {
  for (JsonMember& m : object.as_object())
    if (m.key == key) return &m;
  return nullptr;
}

void put(Json& object, const JsonMember& member) {
  if (JsonMember* old = member_of(object, member.key))
    *old = member;
  else
    object.as_object().push_back(member);
}

void append(Json& object, const char* key, const JsonMember& more) {
  JsonMember* old = member_of(object, key);
  if (!old || !old->value.is_list() || !more.value.is_list()) {
    JsonMember as_is = more;
    as_is.key = key;
    put(object, as_is);
    return;
  }
  for (const Json& entry : more.value.as_list()) old->value.as_list().push_back(entry);
}

void overlay_probes(Json& out, const JsonMember& member, const Json& patch) {
  if (member.key == "probes!") {
    if (const Json* also = patch.find("probes"))
      throw Error(ErrorKind::usage, member.place,
                  "'probes!' replaces the probes; 'probes' at " + also->place.text() + " cannot stand beside it");
    out.erase("probes");
    put(out, member);
  } else {
    append(out, out.find("probes!") ? "probes!" : "probes", member);
  }
}

void remove_entry(Json& out, const JsonMember& member, Layer layer) {
  const char* what = layer == Layer::arms ? "arm" : "base";
  if (out.erase(member.key)) return;
  Error error(ErrorKind::usage, member.place,
              std::string("null removes the ") + what + " '" + member.key + "', but there is none beneath");
  error.hint(nearest_and_all(member.key, keys_of(out), std::string(what) + "s"));
  throw error;
}

}  // namespace

void change_plugin(Json& component, const std::string& plugin) {
  const std::string* before = plugin_name(component);
  if (!before || *before == plugin) return;
  std::erase_if(component.as_object(), [](const JsonMember& m) { return !is_host_data_key(m.key); });
}

Json overlay(Json base, const Json& patch, Layer layer) {
  if (!base.is_object() || !patch.is_object()) return patch;
  if (const std::string* plugin = plugin_name(patch)) change_plugin(base, *plugin);
  base.place = patch.place;
  const bool has_probes = layer == Layer::root || layer == Layer::arm;
  for (const JsonMember& member : patch.as_object()) {
    if (has_probes && (member.key == "probes" || member.key == "probes!")) {
      overlay_probes(base, member, patch);
    } else if (layer == Layer::root && member.key == "claims") {
      append(base, "claims", member);
    } else if ((layer == Layer::arms || layer == Layer::bases) && member.value.is_null()) {
      remove_entry(base, member, layer);
    } else if (JsonMember* old = member_of(base, member.key)) {
      old->value = overlay(std::move(old->value), member.value, below(layer, member.key));
      old->place = member.place;
    } else {
      base.as_object().push_back(member);
    }
  }
  return base;
}

std::string path_from(const Json& written) {
  const bool in_a_file = written.place.line > 0;
  fs::path path = written.as_string();
  if (in_a_file) path = fs::path(written.place.file).parent_path() / path;
  std::error_code ec;
  const fs::path absolute = fs::absolute(path, ec);  // fails on an empty path only
  return (ec ? path : absolute).lexically_normal().string();
}

namespace {

class Loader {
 public:
  Json load(const std::string& path) {
    stack_.push_back(path);
    Json own = parse_json_file(path);
    if (!own.is_object())
      throw Error(ErrorKind::usage, own.place, std::string("a manifest is an object, { ... }, found a ") + own.type_name());
    if (const Json* series = own.find("series"))
      throw Error(ErrorKind::usage, series->place, "this file is a series of manifests, not an experiment of its own")
          .hint("its manifests: " + series->text());
    Json merged{Json::Object{}};
    if (const Json* include = own.find("include")) {
      for (const Json& file : files_of(*include)) merged = overlay(std::move(merged), load_included(file), Layer::root);
      own.erase("include");
    }
    stack_.pop_back();
    return overlay(std::move(merged), own, Layer::root);
  }

 private:
  static Json::List files_of(const Json& include) {
    if (include.is_string()) return {include};
    if (include.is_list() &&
        std::all_of(include.as_list().begin(), include.as_list().end(), [](const Json& f) { return f.is_string(); }))
      return include.as_list();
    throw Error(ErrorKind::usage, include.place, "'include' takes a file name or a list of them, found " + include.text());
  }

  Json load_included(const Json& file) {
    const std::string path = (fs::path(file.place.file).parent_path() / file.as_string()).lexically_normal().string();
    std::error_code ec;
    if (!fs::is_regular_file(path, ec))
      throw Error(ErrorKind::usage, file.place, "there is no file '" + path + "' to include")
          .hint("paths in a manifest start at the folder of the file they are written in");
    for (std::size_t i = 0; i < stack_.size(); ++i) {
      if (key_of_file(stack_[i]) != key_of_file(path)) continue;
      std::string circle;
      for (; i < stack_.size(); ++i) circle.append(stack_[i]).append(" includes ");
      throw Error(ErrorKind::usage, file.place, "manifests include each other in a circle: " + circle.append(path));
    }
    return load(path);
  }

  std::vector<std::string> stack_;
};

}  // namespace

Json load_manifest(const std::string& path, const std::vector<Setting>& settings) {
  Json manifest = Loader().load(path);
  if (!manifest.find("optimizer")) {
    Json adam{Json::Object{{"plugin", "adam", {}}, {"lr", 5e-3, {}}}};
    place_all(adam, manifest.place);
    manifest.set("optimizer", std::move(adam));
  }
  for (const Setting& setting : settings) apply_setting(manifest, setting);
  if (JsonMember* replaced = member_of(manifest, "probes!")) {
    if (const Json* also = manifest.find("probes"))
      throw Error(ErrorKind::usage, also->place, "both 'probes' and 'probes!'; one is enough");
    replaced->key = "probes";
  }
  return manifest;
}

}  // namespace khost
