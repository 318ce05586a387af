#include "manifest/components.hpp"

#include <algorithm>

#include "core/shown.hpp"
#include "manifest/overlay.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

const char* example_of(Kind kind) {
  switch (kind) {
    case Kind::compute:
      return R"({"plugin": "openblas"})";
    case Kind::model:
      return R"({"plugin": "gpt", "d_model": 256})";
    case Kind::optimizer:
      return R"({"plugin": "adam", "lr": 5e-3})";
    case Kind::data:
      return R"({"plugin": "text", "corpus": "kjv"})";
    case Kind::core:
      return R"({"plugin": "block"})";
    case Kind::adapter:
      return R"({"plugin": "lora", "rank": 8, "alpha": 16})";
    case Kind::probe:
      break;
  }
  return R"({"plugin": "snr"})";
}

const std::string& plugin_of(Kind kind, const Json& given) {
  const std::string what = kind == Kind::probe ? "a probe" : std::string("'") + name_of(kind) + "'";
  const Json* plugin = expect_object(given, what, example_of(kind)).find("plugin");
  if (!plugin) {
    Error error(ErrorKind::usage, given.place, what + " needs 'plugin', the name of the plugin to use");
    for (const std::string& key : keys_of(given))
      if (!did_you_mean(key, std::vector<std::string>{"plugin"}).empty()) error.hint("'" + key + "' is not it");
    throw error.hint(std::string("for example ") + example_of(kind));
  }
  if (!plugin->is_string() || plugin->as_string().empty())
    throw Error(ErrorKind::usage, plugin->place,
                "'plugin' of " + what + " takes the name of a plugin, found " + shortened(plugin->text()));
  return plugin->as_string();
}

RankRule rank_rule(const std::string& name, const std::string& pattern, const Json& K, std::int64_t least) {
  if (!K.is_integer() || K.as_integer() < least) {
    Error error(
        ErrorKind::usage, K.place,
        "'" + name + "' of the adapter is " + shortened(K.text()) + ", expected a number at least " + std::to_string(least));
    if (K.is_integer() && K.as_integer() == 0)
      error.hint(
          R"(no adapter at all is "adapter": null; none on some matrices is a pattern's 0: {"default": 32, "layer.*.mlp.*": 0})");
    if (K.is_object())  // --set adapter.rank.layer.0.mlp=4 makes objects of a pattern's parts
      error.hint("a pattern is one key, dots and all; to set a new one, set all of 'rank'");
    throw error;
  }
  return {pattern, K.as_integer(), K.place};
}

std::vector<RankRule> rank_rules(const Json& rank) {
  if (!rank.is_object()) return {rank_rule("rank", "*", rank, 1)};
  const Json* fallback = rank.find("default");
  if (!fallback)
    throw Error(ErrorKind::usage, rank.place, "'rank' of the adapter has patterns, but no 'default' for the other matrices")
        .hint(R"(for example {"default": 32, "layer.*.mlp.*": 48})")
        .hint("over a plain number beneath, patterns replace it: the default has to be said again");
  std::vector<RankRule> rules{rank_rule("rank.default", "*", *fallback, 1)};
  for (const JsonMember& m : rank.as_object()) {
    if (m.key == "default") continue;
    if (m.key == "*" || m.key.empty())
      throw Error(ErrorKind::usage, m.place, "'" + m.key + "' is no pattern for 'rank'; \"default\" is for all matrices");
    rules.push_back(rank_rule("rank." + m.key, m.key, m.value, 0));
  }
  return rules;
}

// What the host takes beside a plugin's parameters.
Schema of_component(const std::vector<Field>& host_fields) {
  Schema schema = schema_of<ComponentKeys>();
  schema.fields.insert(schema.fields.end(), host_fields.begin(), host_fields.end());
  return schema;
}

}  // namespace

ReadComponent read_component(Reading& reading, Kind kind, const Json& given, const std::vector<Field>& host_fields) {
  ReadComponent out;
  Component& component = out.component;
  component.plugin = plugin_of(kind, given);
  component.place = given.place;
  Description description;
  try {
    description = reading.catalog.describe(kind, component.plugin, nullptr);
  } catch (Error& e) {
    throw e.within(std::string(name_of(kind)) + " at " + given.at("plugin").place.text());
  }
  const std::string owner = std::string(name_of(kind)) + " '" + component.plugin + "'";
  Schema schema = of_component(host_fields);
  for (const Field& field : description.schema.fields) {
    if (schema.find(field.name))
      throw Error(ErrorKind::plugin, given.at("plugin").place,
                  owner + " declares the parameter '" + field.name + "', a key that khost itself takes here")
          .hint("rename it in the plugin's fields(); khost's keys here: " + joined(keys_of(of_component(host_fields))));
    schema.fields.push_back(field);
  }
  const Json resolved = resolve(schema, given, owner, &reading.warnings);
  const Json& as = resolved.at("as");
  component.name = as.is_null() ? component.plugin : as.as_string();
  check_name(component.name, as.is_null() ? given.place : as.place, "a component");
  component.config = out.host = Json(Json::Object{});
  component.config.place = given.place;
  for (const Field& field : description.schema.fields) {
    const Json& value = resolved.at(field.name);
    component.config.set(field.name, field.path && value.is_string() ? Json(path_from(value)) : value);
  }
  for (const Field& field : host_fields) out.host.set(field.name, resolved.at(field.name));
  return out;
}

Json as_component(const Json& name) {
  Json component = Json::object({{"plugin", name.as_string()}});
  component.place = component.as_object().front().value.place = name.place;
  return component;
}

DataSpec read_data(Reading& reading, const Json& given) {
  ReadComponent read = read_component(reading, Kind::data, given, schema_of<DataKeys>().fields);
  const auto keys = read_config<DataKeys>(read.host);
  return {keys, std::move(read.component), keys.reuse == "fresh"};
}

namespace {

// A name stands for a plugin with its defaults.
Component read_core(Reading& reading, const Json& given) {
  if (!given.is_string() && !given.is_object())
    throw Error(ErrorKind::usage, given.place, "'core' takes the name of a plugin, found " + shortened(given.text()))
        .hint("for example \"block\", or where the plugin has keys of its own {\"plugin\": \"block\"}");
  return read_component(reading, Kind::core, given.is_string() ? as_component(given) : given).component;
}

}  // namespace

std::optional<AdapterSpec> read_adapter(Reading& reading, const Json& given) {
  if (given.is_null()) return std::nullopt;
  if (const Json* plugin = given.is_object() ? given.find("plugin") : nullptr; plugin && !plugin->is_null()) {
    const ReadComponent read = read_component(reading, Kind::adapter, given, schema_of<WrittenAdapterKeys>().fields);
    AdapterSpec spec;
    spec.basis = "", spec.core = read.component.plugin;
    spec.rank = read.host.at("rank");
    spec.ranks = rank_rules(spec.rank);
    spec.component = read.component, spec.written = true;
    return spec;
  }
  AdapterSpec spec;
  AdapterKeys& keys = spec;
  keys = read_config<AdapterKeys>(resolve(schema_of<AdapterKeys>(), given, "the adapter", &reading.warnings));
  spec.component = read_core(reading, keys.core);
  spec.core = spec.component.plugin;
  if (const Json* rank = given.find("rank")) spec.ranks = rank_rules(*rank);
  return spec;
}

Json resolved_json(const Component& component) {
  Json out{Json::Object{}};
  out.set("plugin", component.plugin);
  if (component.name != component.plugin) out.set("as", component.name);
  for (const JsonMember& m : component.config.as_object()) out.set(m.key, m.value);
  return out;
}

Json resolved_json(const DataSpec& data) {
  Json out = resolved_json(data.source);
  const Json keys = resolved_keys<DataKeys>(data);
  for (const JsonMember& m : keys.as_object()) out.set(m.key, m.value);
  return out;
}

Json resolved_json(const std::optional<AdapterSpec>& adapter) {
  if (!adapter) return {};
  if (!adapter->written) {
    AdapterKeys keys = *adapter;
    const Component& core = adapter->component;
    keys.core = core.config.as_object().empty() ? Json(core.plugin) : resolved_json(core);  // as short as it can be written
    return resolved_keys(keys);
  }
  Json out = resolved_json(adapter->component);
  out.set("rank", adapter->rank);
  return out;
}

}  // namespace khost
