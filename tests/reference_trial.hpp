// A trial as the scripts of tests/reference describe it, and its records beside theirs.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "khost/probe.hpp"
#include "reference_json.hpp"

// From [name, m, n, K, layer], or without K: no adapter.
inline std::vector<khost::AdaptedMatrix> matrices_of(const khost::Json& list) {
  std::vector<khost::AdaptedMatrix> out;
  for (const khost::Json& row : list.as_list()) {
    const auto& part = row.as_list();
    out.push_back({part[0].as_string(), part[1].as_integer(), part[2].as_integer(), part.size() == 5 ? part[3].as_integer() : 0,
                   static_cast<int>(part.back().as_integer())});
  }
  return out;
}

inline std::vector<khost::Shape> shapes_of(const std::vector<khost::AdaptedMatrix>& matrices) {
  std::vector<khost::Shape> out;
  for (const khost::AdaptedMatrix& m : matrices) out.push_back({m.rows, m.cols});
  return out;
}

// The same names; each within `tolerance` of the script's figure, relative to it.
inline void check_records(const std::map<std::string, double>& records, const khost::Json& expected, double tolerance) {
  CHECK(records.size() == expected.as_object().size());
  for (const khost::JsonMember& figure : expected.as_object()) {
    const std::string& name = figure.key;
    const khost::Json& value = figure.value;
    CAPTURE(name);
    REQUIRE(records.contains(name));
    const double found = records.at(name);
    if (value.is_null())
      CHECK(std::isnan(found));
    else
      CHECK(std::abs(found - value.as_number()) <= tolerance * std::abs(value.as_number()));
  }
}
