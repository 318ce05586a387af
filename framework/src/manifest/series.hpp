// A manifest of another kind: experiments that belong together, to be run in one go.
//
//   {"khost": 1, "experiment": "kseries", "title": "The K series", "series": ["paper81.manifest", "paper82.manifest"]}
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "khost/error.hpp"
#include "manifest/keys.hpp"

namespace khost {

struct Series : SeriesKeys {
  std::string manifest_path;           // of the series
  std::vector<std::string> manifests;  // absolute, in its order
  std::vector<Place> places;           // where each is named
};

// Nothing when the file is no series. Throws a usage Error for a series that is wrong; its manifests are looked for, and looked
// into for a series of their own, but not otherwise read.
std::optional<Series> read_series(const std::string& path);

}  // namespace khost
