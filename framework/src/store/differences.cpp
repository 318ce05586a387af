#include "store/differences.hpp"

#include <algorithm>

namespace khost {
namespace {

bool is_hash(const Json& json) {
  return json.is_string() && json.as_string().size() >= 16 &&
         json.as_string().find_first_not_of("0123456789abcdef") == std::string::npos;
}

// What an entry of a list goes by: a component's own name, its plugin, a claim's id.
std::string name_of(const Json& entry) {
  if (!entry.is_object()) return "";
  for (const char* key : {"as", "name", "plugin", "id"})
    if (const Json* name = entry.find(key); name && name->is_string()) return name->as_string();
  return "";
}

// Of each entry; nothing where two have the same, or one has none.
std::vector<std::string> names_of(const Json::List& list) {
  std::vector<std::string> names;
  for (const Json& entry : list) {
    names.push_back(name_of(entry));
    if (names.back().empty() || std::ranges::count(names, names.back()) > 1) return {};
  }
  return names;
}

class Walk {
 public:
  std::vector<JsonDifference> found;

  void compare(const Json* first, const Json* second) {
    if (first && second) {
      if (*first == *second) return;
      if (first->is_object() && second->is_object()) return objects(*first, *second);
      if (first->is_list() && second->is_list() && lists(first->as_list(), second->as_list())) return;
    }
    const auto copy = [](const Json* json) { return json ? std::optional(*json) : std::nullopt; };
    found.push_back({path_, copy(first), copy(second)});
  }

 private:
  void below(const std::string& key, const Json* first, const Json* second) {
    path_.push_back(key);
    compare(first, second);
    path_.pop_back();
  }

  void objects(const Json& first, const Json& second) {
    for (const JsonMember& m : second.as_object()) below(m.key, first.find(m.key), &m.value);
    for (const JsonMember& m : first.as_object())
      if (!second.find(m.key)) below(m.key, &m.value, nullptr);
  }

  bool lists(const Json::List& first, const Json::List& second) {
    const std::vector<std::string> of_first = names_of(first), of_second = names_of(second);
    if (!of_first.empty() && !of_second.empty()) {
      by_name(first, of_first, second, of_second);
      // The order of components may count, too.
      if (of_first != of_second && std::ranges::is_permutation(of_first, of_second)) return false;
      return true;
    }
    if (first.size() != second.size()) return false;
    for (std::size_t i = 0; i < first.size(); ++i) {
      const std::string name = name_of(second[i]);
      below("[" + (name.empty() ? std::to_string(i) : name) + "]", &first[i], &second[i]);
    }
    return true;
  }

  void by_name(const Json::List& first, const std::vector<std::string>& of_first, const Json::List& second,
               const std::vector<std::string>& of_second) {
    const auto find = [](const Json::List& list, const std::vector<std::string>& names, const std::string& name) {
      const auto at = std::ranges::find(names, name);
      return at == names.end() ? nullptr : &list[static_cast<std::size_t>(at - names.begin())];
    };
    for (std::size_t i = 0; i < second.size(); ++i)
      below("[" + of_second[i] + "]", find(first, of_first, of_second[i]), &second[i]);
    for (std::size_t i = 0; i < first.size(); ++i)
      if (!find(second, of_second, of_first[i])) below("[" + of_first[i] + "]", &first[i], nullptr);
  }

  std::vector<std::string> path_;
};

}  // namespace

bool JsonDifference::of_hashes() const { return first && second && is_hash(*first) && is_hash(*second); }

std::string JsonDifference::at() const {
  std::string text;
  for (const std::string& part : path) text += (text.empty() || part.starts_with('[') ? "" : ".") + part;
  return text;
}

std::vector<JsonDifference> json_differences(const Json& first, const Json& second) {
  Walk walk;
  walk.compare(&first, &second);
  return walk.found;
}

}  // namespace khost
