// The text of trial.json.
//
//   {"khost_trial": 2, "sha256": CHECKSUM, "trial": {arm, base, draw, seed, hash, status, message, seconds,
//    adapter_parameters, trainable_parameters, "artifacts": [{"file", "bytes", "sha256"}], "records": [{probe, name, step, value,
//    unit}]}}
//
// CHECKSUM is of the compact text of "trial". Doubles read back bit for bit; a missing value (NaN) is null, an infinity "inf" or
// "-inf".
#pragma once

#include <string>

#include "engine/result.hpp"
#include "khost/json.hpp"

namespace khost {

inline constexpr std::int64_t trial_format = 2;

// `folder` holds the artifacts; throws a usage Error when one of them is not there.
std::string trial_text(const TrialResult& result, const std::string& folder);

// What trial.json says; throws a usage Error that says what is wrong with which file, an artifact whose content is not what was
// written included. Does not look at the format version.
TrialResult read_trial(const Json& file, const std::string& folder);

}  // namespace khost
