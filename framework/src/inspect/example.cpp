#include "inspect/example.hpp"

#include <algorithm>
#include <filesystem>

#include "inspect/words.hpp"

namespace khost {
namespace {

namespace fs = std::filesystem;

// Of a required parameter, which has no default: what its type allows.
Json some_value(const Field& field) {
  if (!field.choices.empty()) return field.choices.front();
  switch (field.type) {
    case FieldType::boolean:
      return false;
    case FieldType::integer:
      return static_cast<std::int64_t>(field.low.value_or(1));
    case FieldType::number:
      return field.low.value_or(1);
    case FieldType::list:
      return Json::List{};
    case FieldType::object:
      return Json::Object{};
    default:
      return "...";
  }
}

Json component(const Plugin& plugin, const Schema& schema) {
  Json made = Json::object({{"plugin", plugin.name()}});
  for (const Field& field : schema.fields) {
    if (!field.deprecated.empty() || (!field.required && field.default_value.is_null())) continue;
    made.set(field.name, field.required ? some_value(field) : field.default_value);
  }
  return made;
}

Json from_defaults(const Plugin& plugin, const Schema& schema) {
  Json made = component(plugin, schema);
  switch (plugin.kind()) {
    case Kind::probe:
      return Json::object({{"probes", Json::List{std::move(made)}}});
    case Kind::core:
      return Json::object(
          {{"adapter", Json::object({{"core", schema.fields.empty() ? Json(plugin.name()) : made}, {"rank", 32}})}});
    case Kind::adapter:
      made.set("rank", 8);
      [[fallthrough]];
    default:
      return Json::object({{name_of(plugin.kind()), std::move(made)}});
  }
}

const Json* naming(const Json& json, const std::string& plugin) {
  if (json.is_object()) {
    if (const Json* name = json.find("plugin"); name && *name == Json(plugin)) return &json;
    for (const JsonMember& m : json.as_object())
      if (const Json* found = naming(m.value, plugin)) return found;
  }
  if (json.is_list())
    for (const Json& each : json.as_list())
      if (const Json* found = naming(each, plugin)) return found;
  return nullptr;
}

// Broken where a line would be wider than a page. `before`: what stands on its line already.
std::string lines(const Json& json, std::size_t indent, std::size_t before) {
  constexpr std::size_t widest = 116;
  std::string line = written_out(json);
  const bool list = json.is_list();
  if (line.size() + before <= widest || (!list && !json.is_object())) return line;
  const std::string inner(indent + 2, ' ');
  std::string text;
  if (list)
    for (const Json& each : json.as_list()) text += (text.empty() ? "" : ",\n" + inner) + lines(each, indent + 2, indent + 2);
  else
    for (const JsonMember& m : json.as_object()) {
      const std::string key = Json(m.key).text() + ": ";
      text += (text.empty() ? "" : ",\n" + inner) + key + lines(m.value, indent + 2, indent + 2 + key.size());
    }
  return (list ? "[\n" : "{\n") + inner + text + "\n" + std::string(indent, ' ') + (list ? "]" : "}");
}

}  // namespace

Json example_of(const Plugin& plugin, const Schema& schema) {
  const fs::path beside = fs::path(plugin.path).replace_extension(".example.manifest");
  std::error_code ignored;
  return fs::is_regular_file(beside, ignored) ? parse_json_file(beside) : from_defaults(plugin, schema);
}

Json config_in(const Json& example, const Plugin& plugin, const Schema& schema) {
  Json own{Json::Object{}};
  if (const Json* found = naming(example, plugin.name()))
    for (const JsonMember& m : found->as_object())
      if (schema.find(m.key)) own.set(m.key, m.value);
  return resolve(schema, own, title_of(plugin));
}

std::string example_text(const Json& example) {
  std::string text;
  for (const JsonMember& m : example.as_object()) {
    const std::string key = Json(m.key).text() + ": ";
    text += (text.empty() ? "" : ",\n") + key + lines(m.value, 0, key.size());
  }
  return text + "\n";
}

}  // namespace khost
