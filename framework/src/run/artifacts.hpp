// What trials left behind, in the run's folder.
#pragma once

#include <string>
#include <vector>

#include "engine/result.hpp"
#include "khost/error.hpp"
#include "store/trial_store.hpp"

namespace khost {

// Of an earlier run into `folder`, as the summary.json says that stands there yet: what this run does not give is removed from
// `folder`/artifacts. What khost did not write there stays, as does a copy under another name, and what was changed since.
void remove_earlier_artifacts(const TrialStore& store, const std::vector<TrialResult>& trials, const std::string& folder);

// Copies it to `folder`/artifacts, under the names the run gives it: trace-<base>-<arm>-<seed>.safetensors. One that cannot be
// copied does not keep the others away: its error is given back.
std::vector<Error> collect_artifacts(const TrialStore& store, const std::vector<TrialResult>& trials, const std::string& folder);

}  // namespace khost
