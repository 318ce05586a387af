#include "plugin/record_names.hpp"

#include <fmt/format.h>

#include <vector>

namespace khost {
namespace {

constexpr std::size_t longest = 200;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

std::string shown(char c) {
  const auto code = static_cast<unsigned char>(c);
  return code > 32 && code < 127 ? fmt::format("'{}'", c) : code == 32 ? "a space" : fmt::format("the byte 0x{:02x}", code);
}

std::string fault_of_part(std::string_view part, NameForm form) {
  if (part.empty()) return "a part of it is empty";
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (is_plain(part[i])) continue;
    if (part[i] != '<' || form == NameForm::made) return fmt::format("it has {}", shown(part[i]));
    const std::size_t close = part.find('>', i);
    if (close == part.npos) return "a '<' of it is not closed";
    if (close == i + 1) return "it has a placeholder without a name";
    for (std::size_t k = i + 1; k < close; ++k)
      if (!is_plain(part[k])) return fmt::format("it has {} in a placeholder", shown(part[k]));
    i = close;
  }
  return "";
}

}  // namespace

bool is_engine_name(std::string_view instance) { return instance == "loss" || instance == "parameters"; }

std::string fault_of_name(std::string_view name, NameForm form) {
  if (name.size() > longest) return fmt::format("it has {} characters; the most is {}", name.size(), longest);
  const bool beside = name.starts_with('/');
  if (beside) name.remove_prefix(1);
  if (beside && name.find('/') == name.npos) return "what begins with '/' names the instance and the record: /GROUP/RECORD";
  for (bool first = true;; first = false) {
    const std::string_view part = name.substr(0, name.find('/'));
    if (const std::string fault = fault_of_part(part, form); !fault.empty()) return fault;
    if (first && beside && part.find('<') != part.npos) return "where it stands beside the instance has a placeholder";
    if (first && beside && is_engine_name(part)) return fmt::format("records under '{}' are khost's own", part);
    if (part.size() == name.size()) return "";
    name.remove_prefix(part.size() + 1);
  }
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
