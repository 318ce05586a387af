#include "manifest/parts.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "core/shown.hpp"
#include "manifest/keys.hpp"

namespace khost {

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const JsonMember& m : object.as_object()) keys.push_back(m.key);
  return keys;
}

std::vector<std::string> keys_of(const Schema& schema) {
  std::vector<std::string> keys;
  for (const Field& field : schema.fields) keys.push_back(field.name);
  return keys;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return shortened(text, 2000);
}

std::string nearest_and_all(std::string_view name, const std::vector<std::string>& names, std::string_view what) {
  std::string text = did_you_mean(name, names);
  if (!text.empty()) text += "\n  ";
  return text + (names.empty() ? "there are no " + std::string(what) : "the " + std::string(what) + ": " + joined(names));
}

bool is_host_data_key(std::string_view key) {
  static const Schema schema = schema_of<DataKeys>();
  return schema.find(key) != nullptr;
}

void place_all(Json& json, const Place& place) {
  json.place = place;
  if (json.is_list())
    for (Json& entry : json.as_list()) place_all(entry, place);
  if (json.is_object())
    for (JsonMember& m : json.as_object()) {
      m.place = place;
      place_all(m.value, place);
    }
}

void check_name(const std::string& name, const Place& place, const std::string& what) {
  const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-'; };
  if (!name.empty() && name.size() <= 100 && std::all_of(name.begin(), name.end(), fits) && name != "." && name != "..") return;
  throw Error(ErrorKind::usage, place, "'" + shortened(name) + "' cannot be the name of " + what)
      .hint("names are letters, digits, '_', '.' and '-', at most 100: they become parts of record paths and file names");
}

void check_format(const Json& khost) {
  constexpr std::int64_t format = 1;
  if (khost.as_integer() != format)
    throw Error(ErrorKind::usage, khost.place,
                "this manifest is of format " + khost.text() + "; this khost reads format " + std::to_string(format));
}

void check_experiment_name(const Json& json) {
  const std::string& name = json.as_string();
  const auto fits = [](char c) {
    return std::islower(static_cast<unsigned char>(c)) || std::isdigit(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > 100 || !std::all_of(name.begin(), name.end(), fits))
    throw Error(ErrorKind::usage, json.place, "'" + shortened(name) + "' cannot be an experiment's name")
        .hint("it names a folder: a-z, 0-9, '_' and '-', at most 100");
}

std::string key_of_file(const std::string& path) {
  std::error_code ec;
  const std::filesystem::path canonical = std::filesystem::weakly_canonical(path, ec);
  return ec ? path : canonical.string();
}

const Json& expect_object(const Json& json, const std::string& what, const char* example) {
  if (json.is_object()) return json;
  throw Error(ErrorKind::usage, json.place,
              what + " takes an object, found the " + json.type_name() + " " + shortened(json.text()))
      .hint(std::string("for example ") + example);
}

const Json& expect_list(const Json& json, const std::string& what, const char* example) {
  if (json.is_list()) return json;
  throw Error(ErrorKind::usage, json.place, what + " takes a list, found the " + json.type_name() + " " + shortened(json.text()))
      .hint(std::string("for example ") + example);
}

}  // namespace khost
