// What a plugin says of its parameters and records, and what it makes of every value that it says it takes.
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "check/test.hpp"
#include "check/with_context.hpp"
#include "core/call.hpp"

namespace khost::check {

namespace {

void check_field(const Field& f, const std::string& within) {
  const std::string name = within + f.name;
  if (f.doc.empty())
    throw Failure("parameter '" + name + "' has no doc", "say what it is, and its unit: f(...).doc(\"step size\")");
  for (const Field& member : f.members) check_field(member, name + ".");
}

std::string schema_test(const Subject& of) {
  const Description description = describe(of.plugin, nullptr);
  for (const Field& f : description.schema.fields) check_field(f, "");
  for (const Signals::Emit& emit : description.signals.emits)
    if (emit.doc.empty())
      throw Failure("record '" + emit.name + "' has no definition",
                    "say in s.emit(name, unit, doc) how it is computed, as a formula where it has one");
  const std::string parameters = fmt::format("{} parameters", description.schema.fields.size());
  return of.plugin.kind() == Kind::probe ? fmt::format("{}, {} records", parameters, description.signals.emits.size())
                                         : parameters;
}

bool is_number(const Field& f) { return f.type == FieldType::integer || f.type == FieldType::number; }

Json number_of(const Field& f, double value) {
  return f.type == FieldType::integer ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

// At the ends of what the schema allows. A size that is large to take is left out.
std::vector<Json> allowed_values(const Field& f) {
  constexpr double largest = 1000;
  std::vector<Json> all;
  for (const std::string& choice : f.choices)
    if (f.type == FieldType::string) all.push_back(choice);
  for (const std::optional<double>& bound : {f.low, f.high})
    if (is_number(f) && bound && std::fabs(*bound) <= largest) all.push_back(number_of(f, *bound));
  if (f.type == FieldType::boolean) all.insert(all.end(), {Json(false), Json(true)});
  if (f.type == FieldType::string && f.choices.empty() && !f.path) all.push_back("");
  if (f.type == FieldType::list) all.push_back(Json::List{});
  if (f.nullable) all.push_back(Json());
  return all;
}

// Of another type, beyond the bounds, no choice.
std::vector<Json> refused_values(const Field& f) {
  std::vector<Json> all;
  if (is_number(f)) all.push_back("a word");
  if (is_number(f) && f.low) all.push_back(number_of(f, *f.low - 1));
  if (is_number(f) && f.high) all.push_back(number_of(f, *f.high + 1));
  if (f.type == FieldType::string) all.push_back(3);
  if (f.type == FieldType::string && !f.choices.empty()) all.push_back("no_such_choice");
  if (f.type == FieldType::boolean || f.type == FieldType::list) all.push_back("a word");
  return all;
}

// False where it is refused as a user's mistake; what else goes wrong is a failure.
bool makes(const Subject& of, const std::string& with, const Json& config) {
  const Within within(Within::What::trial, with);  // for who is told where a plugin crashed
  try {
    if (of.plugin.kind() == Kind::probe) describe(of.plugin, &config);
    with_context(
        of, [&](void* context) { destroy_instance(of.plugin, create_instance(of.plugin, of.plugin.kind(), config, context)); });
    return true;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::usage) return false;
    throw Failure(fmt::format("{}, which its schema allows: {}", with, e.message()),
                  "allow what can be: .range(low, high), .at_least(low), .choices({...}); for what only goes together, throw "
                  "khost::Error(khost::ErrorKind::usage, \"what was expected\")");
  }
}

std::string values_test(const Subject& of) {
  const Schema schema = describe(of.plugin, nullptr).schema;
  int taken = 0, refused = 0, beyond = 0;
  const auto with = [&](const std::string& key, const Json& value) {
    Json config = of.given;
    config.set(key, value);
    return config;
  };
  for (const Field& f : schema.fields) {
    for (const Json& value : allowed_values(f))
      ++(makes(of, fmt::format("with {} = {}", f.name, value.text()), resolve_config(of.plugin, with(f.name, value))) ? taken
                                                                                                                      : refused);
    for (const Json& value : refused_values(f)) {
      ++beyond;
      try {
        resolve_config(of.plugin, with(f.name, value));
      } catch (const Error&) {
        continue;
      }
      throw Failure(fmt::format("{} = {} is taken", f.name, value.text()),
                    "its bounds or choices do not hold: are they numbers, and of a number; strings, and of a string?");
    }
  }
  if (taken + refused + beyond == 0) throw Skipped("it has no parameters");
  const std::string with_reason = refused ? fmt::format(" and refuses {} with a reason", refused) : "";
  return fmt::format("takes {} values at the ends of its ranges{}; {} beyond are refused", taken, with_reason, beyond);
}

}  // namespace

std::vector<Test> schema_tests() {
  return {{"schema", "are its parameters and records documented?", {}, &schema_test},
          {"values",
           "does it take, or refuse with a reason, what its schema allows?",
           {Kind::probe, Kind::model, Kind::optimizer, Kind::adapter, Kind::core},
           &values_test}};
}

}  // namespace khost::check
