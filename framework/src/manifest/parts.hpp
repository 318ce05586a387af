// Small things that every part of the manifest reader uses.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "khost/json.hpp"
#include "khost/schema.hpp"

namespace khost {

std::vector<std::string> keys_of(const Json& object);
std::vector<std::string> keys_of(const Schema& schema);

// Where a name was looked for and not found: "did you mean 'K64'?; the arms: K32, K64".
std::string nearest_and_all(std::string_view name, const std::vector<std::string>& names, std::string_view what);

std::string joined(const std::vector<std::string>& names);

// Of "data": the keys that are the host's whatever the plugin.
bool is_host_data_key(std::string_view key);

// Gives a value and everything in it one place.
void place_all(Json& json, const Place& place);

// Names of arms, bases and instances are parts of record paths and of file names.
void check_name(const std::string& name, const Place& place, const std::string& what);

// "khost" and "experiment" of a manifest: a format that is read here, and a name that can be a folder's.
void check_format(const Json& khost);
void check_experiment_name(const Json& name);

// The same for all paths that lead to a file.
std::string key_of_file(const std::string& path);

// Runs f; an Error that has no place yet gets this one. (What crosses a plugin's C entry has its place in its text.)
template <class F>
decltype(auto) placed(const Place& place, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (Error& e) {
    if (!std::string_view(e.what()).starts_with(place.file + ":")) e.at(place);
    throw;
  }
}

// "the arms" that is not an object, and the like.
const Json& expect_object(const Json& json, const std::string& what, const char* example);
const Json& expect_list(const Json& json, const std::string& what, const char* example);

}  // namespace khost
