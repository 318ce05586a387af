#include "plugin/check_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace khost {
namespace {

bool is_plain(std::string_view name) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  return !name.empty() && std::ranges::all_of(name, fits);
}

void check_names(const std::vector<Field>& fields, std::string_view owner) {
  for (auto field = fields.begin(); field != fields.end(); ++field) {
    if (!is_plain(field->name))
      throw Error(ErrorKind::plugin, fmt::format("{} declares a parameter '{}', which is not a name", owner, field->name))
          .hint("letters, digits and '_': a manifest's key, and a part of --set PATH=VALUE");
    if (std::find_if(fields.begin(), field, [&](const Field& f) { return f.name == field->name; }) != field)
      throw Error(ErrorKind::plugin, fmt::format("{} declares the parameter '{}' twice", owner, field->name))
          .hint(fmt::format("its fields() has two f(\"{}\", ...): take one away, or rename it", field->name));
    check_names(field->members, owner);
  }
}

}  // namespace

void check_schema(const Schema& schema, std::string_view owner) {
  check_names(schema.fields, owner);
  for (const Field& field : schema.fields) {
    if (field.required || field.default_value.is_null()) continue;
    try {
      resolve(Schema{{field}}, Json::object({{field.name.c_str(), field.default_value}}), owner);
    } catch (const Error& e) {
      throw Error(ErrorKind::plugin, fmt::format("the default of a parameter is not one of its values: {}", e.message()))
          .hint(
              "a Config's initial values are what a manifest gets that says nothing: change the value, or what fields() allows");
    }
  }
}

}  // namespace khost
