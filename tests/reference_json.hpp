// Reads the figures that a script of tests/reference made with NumPy. The test that includes it defines KHOST_REFERENCE_DIR.
#pragma once

#include <string>
#include <vector>

#include "khost/json.hpp"

inline khost::Json reference_json(const std::string& name) {
  return khost::parse_json_file(std::string(KHOST_REFERENCE_DIR) + "/" + name + ".json");
}

template <class Number>
std::vector<Number> numbers_of(const khost::Json& list) {
  std::vector<Number> out;
  for (const khost::Json& value : list.as_list()) out.push_back(static_cast<Number>(value.as_number()));
  return out;
}

// A list of lists: one vector each.
inline std::vector<std::vector<float>> vectors_of(const khost::Json& list) {
  std::vector<std::vector<float>> out;
  for (const khost::Json& inner : list.as_list()) out.push_back(numbers_of<float>(inner));
  return out;
}
