#include "plan/patterns.hpp"

#include <algorithm>

namespace khost {

// In time proportional to the product of the two lengths, whatever the pattern: after a mismatch only the last * is tried anew.
bool wildcard(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = pattern.npos, taken = 0;  // the last *, and how far in the name it has eaten
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != pattern.npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == pattern.npos;
}

bool name_matches(std::string_view pattern, const Parameter& parameter) {
  return pattern == "@matrices" ? parameter.adaptable : wildcard(pattern, parameter.name);
}

std::vector<bool> chosen(const std::vector<std::string>& patterns, const std::vector<Parameter>& parameters,
                         const std::string& owner, const Place& place) {
  std::vector<bool> out(parameters.size());
  for (auto at = patterns.begin(); at != patterns.end(); ++at) {
    const std::string& pattern = *at;
    if (std::find(patterns.begin(), at, pattern) != at)
      throw Error(ErrorKind::usage, place, owner + " names '" + pattern + "' twice");
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
