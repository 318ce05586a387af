#include "manifest/record_path.hpp"

#include <vector>

namespace khost {

std::optional<RecordPath> parse_record_path(std::string_view text) {
  RecordPath path;
  const auto take = [&](std::string& part) {
    const std::size_t slash = text.find('/');
    if (slash == 0 || slash == std::string_view::npos) return false;
    part = text.substr(0, slash);
    text.remove_prefix(slash + 1);
    return true;
  };
  if (!text.empty() && text[0] == '@') {
    text.remove_prefix(1);
    if (!take(path.base)) return std::nullopt;
  }
  if (!take(path.arm) || !take(path.probe) || text.empty()) return std::nullopt;
  path.record = text;
  return path;
}

RecordName record_name(const Component& probe, std::string_view name) {
  if (!name.starts_with('/')) return {probe.name, std::string(name)};
  if (probe.name != probe.plugin) return {probe.name, std::string(name.substr(1))};
  const std::size_t end = name.find('/', 1);
  return {std::string(name.substr(1, end - 1)), std::string(name.substr(end + 1))};
}

namespace {

constexpr int one = -1, run = -2;  // any character but '/'; any number of them. Other units are characters

std::vector<int> units_of(std::string_view pattern) {
  std::vector<int> units;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::size_t close = pattern[i] == '<' ? pattern.find('>', i) : std::string_view::npos;
    if (close != std::string_view::npos) {
      units.insert(units.end(), {one, run});
      i = close;
    } else {
      units.push_back(pattern[i] == '*' ? run : static_cast<unsigned char>(pattern[i]));
    }
  }
  return units;
}

}  // namespace

bool patterns_meet(std::string_view first, std::string_view second) {
  const std::vector<int> a = units_of(first), b = units_of(second);
  // meet[j]: do what is left of a from i on, and of b from j on, meet? From the ends towards the fronts.
  std::vector<bool> meet(b.size() + 1), after;
  for (std::size_t i = a.size() + 1; i-- > 0;) {
    after = meet;  // of i + 1
    for (std::size_t j = b.size() + 1; j-- > 0;) {
      const bool a_left = i < a.size(), b_left = j < b.size();
      if (!a_left && !b_left)
        meet[j] = true;
      else if (a_left && a[i] == run)
        meet[j] = after[j] || (b_left && b[j] != '/' && meet[j + 1]);
      else if (b_left && b[j] == run)
        meet[j] = meet[j + 1] || (a_left && a[i] != '/' && after[j]);
      else
        meet[j] =
            a_left && b_left && after[j + 1] && (a[i] == b[j] || (a[i] == one && b[j] != '/') || (b[j] == one && a[i] != '/'));
    }
  }
  return meet[0];
}

}  // namespace khost
