// share/khost.manifest.schema.json, a JSON Schema by which editors complete and check manifests: made from the manifest's keys
// (manifest/keys.hpp) and the parameters of the plugins of the tree. After a change of either,
// KHOST_REGENERATE=1 build/bin/khost_tests -tc='keys: *' writes it anew.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "manifest/keys.hpp"
#include "plugin/registry.hpp"
#include "unit/made_file.hpp"

using namespace khost;

namespace {

Json plain(double bound) {
  const Json number(bound);
  return number.is_integer() ? Json(number.as_integer()) : number;  // 1 and not 1.0
}

// ---- the JSON Schema ----

Json ref(const char* name) { return Json::object({{"$ref", "#/$defs/" + std::string(name)}}); }

Json types(std::initializer_list<const char*> names) { return Json::List(names.begin(), names.end()); }

Json list_of(Json each) { return Json::object({{"type", types({"array", "null"})}, {"items", std::move(each)}}); }

Json by_name(Json each) { return Json::object({{"type", types({"object", "null"})}, {"additionalProperties", std::move(each)}}); }

// What a key of a declared .shape() takes. A plugin's parameter may be of any other, which is said in words: "[[first, end],
// ...]".
bool is_form(const std::string& shape) { return !shape.empty() && shape.front() != '['; }
Json form(const std::string& shape) {
  const Json text = Json::object({{"type", "string"}});
  const Json paths = Json::object({{"type", types({"string", "array"})}, {"items", text}});
  const std::map<std::string, Json> forms = {
      {"any", Json::object({})},
      {"string", Json::object({{"type", types({"string", "null"})}})},
      {"integer", Json::object({{"type", types({"integer", "null"})}})},
      {"data", ref("data")},
      {"adapter", ref("adapter")},
      {"bases by name", by_name(ref("base"))},
      {"arms by name", by_name(ref("arm"))},
      {"list of probes", list_of(ref("probe"))},
      {"list of claims", list_of(ref("claim"))},
      {"file or list of files", Json::object({{"type", types({"string", "array"})}, {"items", text}})},
      {"name or list of names", Json::object({{"type", types({"string", "array", "null"})}, {"items", text}})},
      {"rank or ranks by pattern", Json::object({{"type", types({"integer", "object"})},
                                                 {"minimum", 0},
                                                 {"additionalProperties", Json::object({{"type", "integer"}, {"minimum", 0}})}})},
      {"name or component", ref("core")},
      {"lists by path", by_name(list_of(Json::object({})))},
      {"patches on arms by pattern", by_name(ref("form of an arm"))},
      {"paths by name", by_name(Json::object({{"type", types({"string", "array", "object"})},
                                              {"items", text},
                                              {"properties", Json::object({{"of", paths}, {"least", paths}})},
                                              {"required", Json(Json::List{"of", "least"})}}))},
  };
  const auto found = forms.find(shape);
  REQUIRE_MESSAGE(found != forms.end(), "say here what a JSON Schema has for the shape '" << shape << "'");
  return found->second;
}

Json object_of(const std::vector<Field>& fields, bool others);
Json property_of(const Field& field);

// `bounds`: the field that has the range and choices of `field`, itself or the list whose element it is.
Json schema_of_value(const Field& field, const Field& bounds) {
  if (field.type == FieldType::any) return is_form(field.shape) ? form(field.shape) : Json::object({});
  if (field.type == FieldType::object) return object_of(field.members, false);
  if (field.type == FieldType::list)
    return list_of(field.elements.empty() ? Json::object({}) : schema_of_value(field.elements.front(), bounds));
  Json out = Json::object({{"type", name_of(field.type)}});
  if (field.nullable) out.set("type", types({name_of(field.type), "null"}));
  if (bounds.low) out.set("minimum", plain(*bounds.low));
  if (bounds.high) out.set("maximum", plain(*bounds.high));
  if (!bounds.choices.empty()) out.set("enum", Json::List(bounds.choices.begin(), bounds.choices.end()));
  return out;
}

Json property_of(const Field& field) {
  // Of a kind, which its key names: "model", "optimizer", "compute".
  Json property = field.shape == "component" ? ref(field.name.c_str()) : schema_of_value(field, field);
  property.set("description", field.doc);
  if (!field.default_value.is_null() && !field.required) property.set("default", field.default_value);
  if (!field.deprecated.empty()) property.set("deprecated", true);
  return property;
}

// No key is required, and each object may be null: a file may lie over others that have the rest, or take away what they have.
// `others`: further keys are a plugin's.
Json object_of(const std::vector<Field>& fields, bool others) {
  Json properties{Json::Object{}};
  for (const Field& field : fields) properties.set(field.name, property_of(field));
  return Json::object(
      {{"type", types({"object", "null"})}, {"properties", std::move(properties)}, {"additionalProperties", others}});
}

template <class... Keys>
Json definition(bool others) {
  std::vector<Field> fields;
  for (const Schema& schema : {schema_of<Keys>()...}) fields.insert(fields.end(), schema.fields.begin(), schema.fields.end());
  return object_of(fields, others);
}

std::vector<const Plugin*> plugins_of(const Registry::Listing& all, Kind kind) {
  std::vector<const Plugin*> some;
  std::ranges::copy_if(all.plugins, std::back_inserter(some), [&](const Plugin* p) { return p->kind() == kind; });
  return some;
}

// Beside Keys, which a component of this kind has whatever its plugin, the parameters of each plugin of the tree where it is the
// one that is named; of an unknown one, or of a patch that names none, any keys.
template <class... Keys>
Json component(const Registry::Listing& all, Kind kind) {
  Json whole = definition<Keys...>(true);
  Json* properties = whole.find("properties");
  Json::List names, rules;
  for (const Plugin* plugin : plugins_of(all, kind)) {
    Json own{Json::Object{}};
    Json::List keys;
    for (const JsonMember& m : properties->as_object()) keys.emplace_back(m.key);
    for (const Field& field : describe(*plugin, nullptr).schema.fields) {
      own.set(field.name, property_of(field));
      keys.emplace_back(field.name);
    }
    names.emplace_back(plugin->name());
    rules.push_back(
        Json::object({{"if", Json::object({{"properties", Json::object({{"plugin", Json::object({{"const", plugin->name()}})}})},
                                           {"required", types({"plugin"})}})},
                      {"then", Json::object({{"description", plugin->descriptor->summary},
                                             {"properties", std::move(own)},
                                             {"propertyNames", Json::object({{"enum", std::move(keys)}})}})}}));
  }
  properties->find("plugin")->set("examples", std::move(names));
  whole.set("allOf", std::move(rules));
  return whole;
}

// A name stands for the plugin with its defaults.
Json core(const Registry::Listing& all) {
  Json whole = component<ComponentKeys>(all, Kind::core);
  whole.set("type", types({"string", "object"}));
  return whole;
}

Json form_of_an_arm() {  // on one base: sweeps are the experiment's
  Json form = definition<ArmKeys>(false);
  form.find("properties")->erase("sweep");
  return form;
}

Json json_schema() {
  const Registry registry({KHOST_BINARY_DIR "/plugins"});
  const Registry::Listing all = registry.list();
  REQUIRE(all.refused.empty());
  Json experiment = definition<ManifestKeys>(false);
  experiment.find("properties")->set("probes!", form("list of probes"));  // of a file that lies over others
  return Json::object(
      {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
       {"title", "khost manifest"},
       {"description", "made from framework/src/manifest/keys.hpp and the plugins by tests/unit/json_schema_test.cpp"},
       {"if", Json::object({{"required", types({"series"})}})},
       {"then", ref("series")},
       {"else", ref("experiment")},
       {"$defs", Json::object({{"experiment", std::move(experiment)},
                               {"series", definition<SeriesKeys>(false)},
                               {"compute", component<ComponentKeys>(all, Kind::compute)},
                               {"model", component<ComponentKeys>(all, Kind::model)},
                               {"optimizer", component<ComponentKeys>(all, Kind::optimizer)},
                               {"data", component<ComponentKeys, DataKeys>(all, Kind::data)},
                               {"probe", component<ComponentKeys, ProbeKeys>(all, Kind::probe)},
                               {"core", core(all)},
                               {"adapter", component<AdapterKeys>(all, Kind::adapter)},
                               {"base", definition<BaseKeys>(false)},
                               {"arm", definition<ArmKeys>(false)},
                               {"form of an arm", form_of_an_arm()},
                               {"claim", definition<ClaimKeys>(false)}})}});
}

}  // namespace

TEST_CASE("keys: share/khost.manifest.schema.json") {
  check_made(KHOST_SOURCE_DIR "/share/khost.manifest.schema.json", json_schema().pretty() + "\n", "keys: *");
}
