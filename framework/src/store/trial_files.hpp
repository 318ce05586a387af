// A trial's folder in the cache: trial.json, and series.bin.
//
//   {"khost_trial": 3, "sha256": CHECKSUM, "trial": {arm, base, draw, seed, hash, status, message, seconds,
//    adapter_parameters, trainable_parameters, "artifacts": [{"file", "bytes", "sha256"}], "records": [{probe, name, unit,
//    "value", "points"}], "points_sha256"}}
//
// CHECKSUM is of the compact text of "trial". "value" is that of the whole trial, and left out where there is none. Doubles read
// back bit for bit; a missing value (NaN) is null, an infinity "inf" or "-inf". "points" is how many steps it has; these stand in
// series.bin, one record after the other: its steps, each a 64-bit integer, then its values, each a double, little-endian.
#pragma once

#include <string>
#include <string_view>

#include "engine/result.hpp"
#include "khost/json.hpp"

namespace khost {

inline constexpr std::int64_t trial_format = 3;

inline constexpr const char* points_file = "series.bin";

// `folder` holds the artifacts; throws a usage Error when one of them is not there.
struct TrialFiles {
  std::string json, points;  // the contents of trial.json and series.bin
};
TrialFiles trial_files(const TrialResult& result, const std::string& folder);

// What trial.json says, with the points of series.bin; throws a usage Error that says what is wrong with which file, an artifact
// whose content is not what was written included. Does not look at the format version.
TrialResult read_trial(const Json& file, const std::string& folder);
TrialResult read_trial(const Json& file, std::string_view points, const std::string& folder);

}  // namespace khost
