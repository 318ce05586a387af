// What trials left behind, in the run's folder.
#pragma once

#include <string>
#include <vector>

#include "engine/result.hpp"
#include "khost/error.hpp"
#include "store/trial_store.hpp"

namespace khost {

// Copies it to `folder`/artifacts, under the names the run gives it: trace-<base>-<arm>-<seed>.safetensors. Those that khost
// wrote there for another run go. One that cannot be copied does not keep the others away: its error is given back.
std::vector<Error> collect_artifacts(const TrialStore& store, const std::vector<TrialResult>& trials, const std::string& folder);

}  // namespace khost
