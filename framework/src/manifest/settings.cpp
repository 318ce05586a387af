#include <algorithm>
#include <cstring>

#include "core/shown.hpp"
#include "khost/utf8.hpp"
#include "manifest/overlay.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

// A command line may hold any bytes; a manifest holds text.
bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Character c = first_character(text);
    if (c.bytes == 0) return false;
    text.remove_prefix(c.bytes);
  }
  return true;
}

class Walk {
 public:
  explicit Walk(const Setting& setting)
      : path_(setting.path), place_{"--set " + shortened(setting.path, 200) + "=" + shortened(setting.value, 200), 0, 0} {
    if (!well_formed())
      throw Error(ErrorKind::usage, place_, "a setting is PATH=VALUE, the path's parts joined by dots: data.batch=2");
    check_depth();
    if (!is_utf8(setting.path) || !is_utf8(setting.value)) throw Error(ErrorKind::usage, place_, "a setting is UTF-8 text");
    if (path_ == "include" || path_.rfind("include.", 0) == 0)
      throw Error(ErrorKind::usage, place_, "'include' cannot be set; it is read before the settings");
    value_ = parsed(setting.value);
    place_all(value_, place_);
  }

  Walk(const std::string& path, const Json& value, const Place& place) : path_(path), place_(place), value_(value) {
    if (!well_formed()) throw Error(ErrorKind::usage, place_, "'" + path + "' is not a path: its parts are joined by dots");
    check_depth();
  }

  void set(Json& node, std::string_view rest, Layer layer) {
    if (node.is_null()) node = empty();
    if (node.is_list()) return set_in_list(node, rest);
    if (!node.is_object())
      throw Error(ErrorKind::usage, place_,
                  "'" + before(rest) + "' is " + shortened(node.text()) + " and has no part '" + std::string(rest) + "'");
    const std::string_view key = longest_prefix(rest, keys_of(node));
    if (key.empty()) return set_new(node, rest, layer);
    if (key == rest) return assign(node, key);
    const Layer next = layer != Layer::root ? Layer::plain
                       : key == "arms"      ? Layer::arms
                       : key == "bases"     ? Layer::bases
                                            : Layer::plain;
    set(*node.find(key), rest.substr(key.size() + 1), next);
  }

 private:
  // As deep as a manifest itself may be: what is set may make an object for each part.
  static constexpr std::ptrdiff_t deepest = 60;

  void check_depth() const {
    if (std::count(path_.begin(), path_.end(), '.') >= deepest)
      throw Error(ErrorKind::usage, place_, "a path has at most " + std::to_string(deepest) + " parts");
  }

  bool well_formed() const {
    return !path_.empty() && path_.front() != '.' && path_.back() != '.' && path_.find("..") == std::string::npos;
  }

  // JSON where it looks like it, else the text itself: --set data.corpus=kjv needs no quotes.
  Json parsed(const std::string& text) const {
    try {
      return parse_json(text, "--set " + path_);
    } catch (const Error& e) {
      const std::size_t first = text.find_first_not_of(' ');
      if (first == std::string::npos || !std::strchr("[{\"", text[first])) return Json(text);
      throw Error(ErrorKind::usage, place_, e.message() + " (column " + std::to_string(e.place().column) + " of the value)");
    }
  }

  Json empty() const {
    Json object{Json::Object{}};
    object.place = place_;
    return object;
  }

  std::string before(std::string_view rest) const {
    return path_.substr(0, path_.size() - std::min(path_.size(), rest.size() + 1));
  }

  // Names may hold dots themselves ("K32-drop0.1"): the longest name that the path goes on with.
  static std::string_view longest_prefix(std::string_view rest, const std::vector<std::string>& names) {
    std::size_t best = 0;
    for (const std::string& name : names)
      if (rest.substr(0, name.size()) == name && (rest.size() == name.size() || rest[name.size()] == '.'))
        best = std::max(best, name.size());
    return rest.substr(0, best);
  }

  void assign(Json& node, std::string_view key) {
    if (key == "plugin" && value_.is_string()) change_plugin(node, value_.as_string());
    for (JsonMember& m : node.as_object())
      if (m.key == key) {
        m = {std::string(key), value_, place_};
        return;
      }
    node.as_object().push_back({std::string(key), value_, place_});
  }

  void set_new(Json& node, std::string_view rest, Layer layer) {
    if (layer == Layer::arms || layer == Layer::bases) {
      const std::string what = layer == Layer::arms ? "arm" : "base";
      const std::string name(rest.substr(0, rest.find('.')));
      throw Error(ErrorKind::usage, place_, "there is no " + what + " '" + name + "' to set something of")
          .hint(nearest_and_all(name, keys_of(node), what + "s"));
    }
    const std::size_t dot = rest.find('.');
    if (dot == std::string_view::npos) return assign(node, rest);
    node.as_object().push_back({std::string(rest.substr(0, dot)), empty(), place_});
    set(node.as_object().back().value, rest.substr(dot + 1), Layer::plain);
  }

  void set_in_list(Json& node, std::string_view rest) {
    Json::List& list = node.as_list();
    std::vector<std::string> names;
    for (std::size_t i = 0; i < list.size(); ++i) names.push_back(std::to_string(i));
    for (const Json& entry : list) names.push_back(name_of_entry(entry));
    const std::string_view name = longest_prefix(rest, names);
    if (name.empty()) {
      const std::string part(rest.substr(0, rest.find('.')));
      std::erase(names, "");
      throw Error(ErrorKind::usage, place_, "'" + before(rest) + "' has no entry '" + part + "'")
          .hint(nearest_and_all(part, names, "entries"));
    }
    const auto at = std::find(names.begin(), names.end(), name) - names.begin();
    Json& entry = list[static_cast<std::size_t>(at) % list.size()];
    if (name == rest)
      entry = value_;
    else
      set(entry, rest.substr(name.size() + 1), Layer::plain);
  }

  static std::string name_of_entry(const Json& entry) {
    if (!entry.is_object()) return "";
    for (const char* key : {"as", "plugin", "id"})
      if (const Json* name = entry.find(key); name && name->is_string()) return name->as_string();
    return "";
  }

  const std::string& path_;
  Place place_;
  Json value_;
};

}  // namespace

void apply_setting(Json& manifest, const Setting& setting) {
  Walk walk(setting);
  walk.set(manifest, setting.path, Layer::root);
}

void set_at(Json& object, const std::string& path, const Json& value, const Place& place) {
  Walk(path, value, place).set(object, path, Layer::arm);
}

}  // namespace khost
