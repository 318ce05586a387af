#include "run/store.hpp"

namespace khost {

CacheStore::CacheStore(const std::string& cache_root, const Plan& plan, const Registry& registry, bool fresh,
                       std::set<std::string>& computed)
    : trials_(cache_root), ledger_(cache_root), shown_(plan, registry), fresh_(fresh), computed_(computed) {
  trials_.ready();
}

std::optional<TrialResult> CacheStore::find(const PlannedTrial& trial) {
  auto found = may_serve(trial.hash) ? trials_.load(trial.hash) : std::nullopt;
  if (found) ledger_.note_started(trial, shown_);  // it may have been brought here from elsewhere
  return found;
}

std::string CacheStore::begin(const PlannedTrial& trial) {
  ledger_.note_started(trial, shown_);
  return trials_.begin(trial.hash);
}

void CacheStore::keep(const std::string& folder, const TrialResult& result) {
  trials_.keep(folder, result, fresh_ ? Kept::replaces : Kept::yields);
  computed_.insert(result.hash);
}

}  // namespace khost
