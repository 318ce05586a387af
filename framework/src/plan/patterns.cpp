#include "plan/patterns.hpp"

namespace khost {

namespace {

bool wildcard(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    for (std::size_t skip = 0; skip <= name.size(); ++skip)
      if (wildcard(pattern.substr(1), name.substr(skip))) return true;
    return false;
  }
  return !name.empty() && name.front() == pattern.front() && wildcard(pattern.substr(1), name.substr(1));
}

}  // namespace

bool name_matches(std::string_view pattern, const Parameter& parameter) {
  return pattern == "@matrices" ? parameter.adaptable : wildcard(pattern, parameter.name);
}

std::vector<bool> chosen(const std::vector<std::string>& patterns, const std::vector<Parameter>& parameters,
                         const std::string& owner, const Place& place) {
  std::vector<bool> out(parameters.size());
  for (const std::string& pattern : patterns) {
    bool any = false;
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (name_matches(pattern, parameters[i])) any = out[i] = true;
    if (any) continue;
    std::vector<std::string> names;
    for (const Parameter& p : parameters) names.push_back(p.name);
    Error error(ErrorKind::usage, place, owner + " names '" + pattern + "', which matches no tensor of the model");
    if (const std::string near = did_you_mean(pattern, names); !near.empty()) error.hint(near);
    throw error;
  }
  return out;
}

}  // namespace khost
