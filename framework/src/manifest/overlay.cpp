#include "manifest/overlay.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/shown.hpp"
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
  if (before && *before == plugin) return;
  if (!before) {  // an adapter of U and V
    component.erase("basis"), component.erase("core");
    return;
  }
  std::erase_if(component.as_object(), [](const JsonMember& m) { return !is_host_data_key(m.key) && m.key != "rank"; });
}

Json overlay(Json base, const Json& patch, Layer layer) {
  if (!base.is_object() || !patch.is_object()) return patch;
  if (const std::string* plugin = plugin_name(patch))
    change_plugin(base, *plugin);
  else if (const Json* none = patch.find("plugin"); none && none->is_null())
    change_plugin(base, "");  // back to an adapter of U and V
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

namespace {

// Seen from the folder of the file it is written in, as far as that has been named itself.
fs::path beside(const Json& written) {
  if (written.as_string().find('\0') != std::string::npos)
    throw Error(ErrorKind::usage, written.place, "a path cannot hold the character U+0000");
  const fs::path path = written.as_string();
  const bool in_a_file = written.place.line > 0;
  return in_a_file ? fs::path(written.place.file).parent_path() / path : path;
}

}  // namespace

std::string path_from(const Json& written) {
  const fs::path path = beside(written);
  std::error_code ec;
  const fs::path absolute = fs::absolute(path, ec);  // fails on an empty path only
  return (ec ? path : absolute).lexically_normal().string();
}

namespace {

constexpr std::size_t deepest = 32;  // includes within includes

class Loader {
 public:
  explicit Loader(const ReadManifest& read) : read_(read) {}

  Json load(const std::string& path) {
    std::optional<Json> read = read_(path);
    return load(path, read ? std::move(*read) : parse_json_file(path));
  }

 private:
  Json load(const std::string& path, Json own) {
    stack_.push_back(path);
    seen_.insert(key_of_file(path));
    if (!own.is_object())
      throw Error(ErrorKind::usage, own.place, std::string("a manifest is an object, { ... }, found a ") + own.type_name());
    if (const Json* series = own.find("series"))
      throw Error(ErrorKind::usage, series->place, "this file is a series of manifests, not an experiment of its own")
          .hint("its manifests: " + series->text());
    Json merged{Json::Object{}};
    if (const Json* include = own.find("include")) {
      for (const Json& file : files_of(*include)) add(merged, file);
      own.erase("include");
    }
    stack_.pop_back();
    return overlay(std::move(merged), own, Layer::root);
  }

  static Json::List files_of(const Json& include) {
    if (include.is_string()) return {include};
    if (include.is_list() &&
        std::all_of(include.as_list().begin(), include.as_list().end(), [](const Json& f) { return f.is_string(); }))
      return include.as_list();
    throw Error(ErrorKind::usage, include.place,
                "'include' takes a file name or a list of them, found " + shortened(include.text()));
  }

  // A file that several others include is read once, beneath the first of them: under a second one it would set back what
  // the first one changed, and a lattice of such files would take exponential time.
  void add(Json& merged, const Json& file) {
    const std::string path = beside(file).lexically_normal().string(), key = key_of_file(path);
    for (std::size_t i = 0; i < stack_.size(); ++i) {
      if (key_of_file(stack_[i]) != key) continue;
      std::string circle;
      for (; i < stack_.size(); ++i) circle.append(stack_[i]).append(" includes ");
      throw Error(ErrorKind::usage, file.place, "manifests include each other in a circle: " + circle.append(path));
    }
    if (seen_.contains(key)) return;
    if (stack_.size() >= deepest)
      throw Error(ErrorKind::usage, file.place, "manifests include each other more than " + std::to_string(deepest) + " deep");
    std::optional<Json> own = read_(path);
    if (!own)
      throw Error(ErrorKind::usage, file.place, "there is no file '" + path + "' to include")
          .hint("paths in a manifest start at the folder of the file they are written in");
    merged = overlay(std::move(merged), load(path, std::move(*own)), Layer::root);
  }

  const ReadManifest& read_;
  std::vector<std::string> stack_;
  std::set<std::string> seen_;
};

std::optional<Json> from_disk(const std::string& path) {
  std::error_code ec;
  if (!fs::is_regular_file(path, ec)) return std::nullopt;
  return parse_json_file(path);
}

}  // namespace

Json load_manifest(const std::string& path, const std::vector<Setting>& settings) {
  return load_manifest(path, settings, from_disk);
}

Json load_manifest(const std::string& path, const std::vector<Setting>& settings, const ReadManifest& read) {
  Json manifest = Loader(read).load(path);
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
