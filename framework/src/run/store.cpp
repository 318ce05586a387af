#include "run/store.hpp"

#include "engine/checkpoint.hpp"

namespace khost {

CacheStore::CacheStore(const std::string& cache_root, const Plan& plan, const Registry& registry, bool fresh,
                       std::set<std::string>& computed)
    : root_(cache_root), trials_(cache_root), ledger_(cache_root), shown_(plan, registry), fresh_(fresh), computed_(computed) {
  trials_.ready();
}

std::optional<TrialResult> CacheStore::find(const PlannedTrial& trial) {
  auto found = may_serve(trial.hash) ? trials_.load(trial.hash) : std::nullopt;
  if (!found) return found;
  ledger_.note_started(trial, shown_);   // it may have been brought here from elsewhere
  remove_checkpoint(root_, trial.hash);  // of who was killed before it was removed
  return found;
}

std::string CacheStore::begin(const PlannedTrial& trial) {
  ledger_.note_started(trial, shown_);
  if (!may_serve(trial.hash)) remove_checkpoint(root_, trial.hash);
  return trials_.begin(trial.hash);
}

std::string CacheStore::checkpoint(const PlannedTrial& trial) { return checkpoint_file(root_, trial.hash); }

void CacheStore::keep(const std::string& folder, const TrialResult& result) {
  trials_.keep(folder, result, fresh_ ? Kept::replaces : Kept::yields);
  computed_.insert(result.hash);
  remove_checkpoint(root_, result.hash);
}

}  // namespace khost
