// What is made from the declaration of a manifest's keys (manifest/keys.hpp) for people and their editors: the tables of
// docs/concepts/manifest.md, and share/khost.manifest.schema.json, a JSON Schema. After a change of the keys,
// KHOST_REGENERATE=1 build/bin/khost_tests -tc='keys: *' writes both anew.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>

#include "manifest/keys.hpp"
#include "unit/made_file.hpp"

using namespace khost;

namespace {

Json plain(double bound) {
  const Json number(bound);
  return number.is_integer() ? Json(number.as_integer()) : number;  // 1 and not 1.0
}

// ---- the tables of the page ----

std::string range_words(const Field& field) {
  if (field.low && field.high) return ", " + plain(*field.low).text() + " to " + plain(*field.high).text();
  return field.low ? ", at least " + plain(*field.low).text() : "";
}

std::string type_words(const Field& field) {
  std::string words = name_of(field.type);
  if (field.type == FieldType::any) words = field.shape;
  if (field.type == FieldType::list) words = "list of " + std::string(name_of(field.elements.at(0).type)) + "s";
  for (const std::string& choice : field.choices) words = (&choice == &field.choices[0] ? "`" : words + ", `") + choice + "`";
  return words + range_words(field);
}

std::string default_words(const Field& field) {
  if (field.required) return "required";
  return field.default_value.is_null() ? "" : "`" + field.default_value.text() + "`";
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += (c == '*' || c == '|' || c == '<' || c == '\\' ? "\\" : "") + std::string(1, c);
  return out;
}

std::string table(const Schema& schema) {
  std::string out = "| key | type | default | |\n|---|---|---|---|\n";
  for (const Field& field : schema.fields)
    out += "| `" + field.name + "` | " + type_words(field) + " | " + default_words(field) + " | " + escaped(field.doc) +
           (field.operational ? "; changes no figure" : "") + " |\n";
  return out;
}

// `page` with the lines that follow "<!-- keys of WHAT -->" as the table, up to an empty one.
void put_table(std::string& page, const std::string& what, const Schema& schema) {
  const std::string mark = "<!-- keys of " + what + " -->\n";
  CAPTURE(mark);
  const std::size_t found = page.find(mark);
  REQUIRE(found != std::string::npos);
  const std::size_t begin = found + mark.size(), end = page.find("\n\n", begin - 1) + 1;
  page.replace(begin, end - begin, table(schema));
}

// ---- the JSON Schema ----

Json ref(const char* name) { return Json::object({{"$ref", "#/$defs/" + std::string(name)}}); }

Json types(std::initializer_list<const char*> names) { return Json::List(names.begin(), names.end()); }

Json list_of(Json each) { return Json::object({{"type", types({"array", "null"})}, {"items", std::move(each)}}); }

Json by_name(Json each) { return Json::object({{"type", types({"object", "null"})}, {"additionalProperties", std::move(each)}}); }

// What a key of a declared .shape() takes.
Json form(const std::string& shape) {
  const Json text = Json::object({{"type", "string"}});
  const Json paths = Json::object({{"type", types({"string", "array"})}, {"items", text}});
  const std::map<std::string, Json> forms = {
      {"any", Json::object({})},
      {"string", Json::object({{"type", types({"string", "null"})}})},
      {"integer", Json::object({{"type", types({"integer", "null"})}})},
      {"component", ref("component")},
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
      {"name or component", Json::object({{"type", types({"string", "object"})},
                                          {"properties", Json::object({{"plugin", text}})},
                                          {"required", Json(Json::List{"plugin"})}})},
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

// `bounds`: the field that has the range and choices of `field`, itself or the list whose element it is.
Json schema_of_value(const Field& field, const Field& bounds) {
  if (field.type == FieldType::any) return form(field.shape);
  if (field.type == FieldType::object) return object_of(field.members, false);
  if (field.type == FieldType::list) return list_of(schema_of_value(field.elements.at(0), bounds));
  Json out = Json::object({{"type", name_of(field.type)}});
  if (field.nullable) out.set("type", types({name_of(field.type), "null"}));
  if (bounds.low) out.set("minimum", plain(*bounds.low));
  if (bounds.high) out.set("maximum", plain(*bounds.high));
  if (!bounds.choices.empty()) out.set("enum", Json::List(bounds.choices.begin(), bounds.choices.end()));
  return out;
}

// No key is required, and each object may be null: a file may lie over others that have the rest, or take away what they have.
// `others`: further keys are a plugin's.
Json object_of(const std::vector<Field>& fields, bool others) {
  Json properties{Json::Object{}};
  for (const Field& field : fields) {
    Json property = schema_of_value(field, field);
    property.set("description", field.doc);
    if (!field.default_value.is_null() && !field.required) property.set("default", field.default_value);
    properties.set(field.name, std::move(property));
  }
  return Json::object(
      {{"type", types({"object", "null"})}, {"properties", std::move(properties)}, {"additionalProperties", others}});
}

template <class... Keys>
Json definition(bool others) {
  std::vector<Field> fields;
  for (const Schema& schema : {schema_of<Keys>()...}) fields.insert(fields.end(), schema.fields.begin(), schema.fields.end());
  return object_of(fields, others);
}

Json form_of_an_arm() {  // on one base: sweeps are the experiment's
  Json form = definition<ArmKeys>(false);
  form.find("properties")->erase("sweep");
  return form;
}

Json json_schema() {
  Json experiment = definition<ManifestKeys>(false);
  experiment.find("properties")->set("probes!", form("list of probes"));  // of a file that lies over others
  return Json::object({{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                       {"title", "khost manifest"},
                       {"description", "made from framework/src/manifest/keys.hpp by tests/unit/manifest_keys_test.cpp"},
                       {"if", Json::object({{"required", types({"series"})}})},
                       {"then", ref("series")},
                       {"else", ref("experiment")},
                       {"$defs", Json::object({{"experiment", std::move(experiment)},
                                               {"series", definition<SeriesKeys>(false)},
                                               {"component", definition<ComponentKeys>(true)},
                                               {"data", definition<ComponentKeys, DataKeys>(true)},
                                               {"probe", definition<ComponentKeys, ProbeKeys>(true)},
                                               {"adapter", definition<AdapterKeys>(true)},
                                               {"base", definition<BaseKeys>(false)},
                                               {"arm", definition<ArmKeys>(false)},
                                               {"form of an arm", form_of_an_arm()},
                                               {"claim", definition<ClaimKeys>(false)}})}});
}

}  // namespace

TEST_CASE("keys: the tables of docs/concepts/manifest.md") {
  const std::string path = KHOST_SOURCE_DIR "/docs/concepts/manifest.md";
  std::string page = content_of(path);
  put_table(page, "an experiment", schema_of<ManifestKeys>());
  put_table(page, "a component", schema_of<ComponentKeys>());
  put_table(page, "data", schema_of<DataKeys>());
  put_table(page, "an adapter", schema_of<AdapterKeys>());
  put_table(page, "a base", schema_of<BaseKeys>());
  put_table(page, "until", schema_of<UntilKeys>());
  put_table(page, "an arm", schema_of<ArmKeys>());
  put_table(page, "a probe", schema_of<ProbeKeys>());
  put_table(page, "a claim", schema_of<ClaimKeys>());
  put_table(page, "a series", schema_of<SeriesKeys>());
  check_made(path, page, "keys: *");
}

TEST_CASE("keys: share/khost.manifest.schema.json") {
  check_made(KHOST_SOURCE_DIR "/share/khost.manifest.schema.json", json_schema().pretty() + "\n", "keys: *");
}
