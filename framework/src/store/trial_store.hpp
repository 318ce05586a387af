// Finished trials in the cache: $KHOST_CACHE/trials/<hash>/ holds trial.json and the trial's artifacts.
#pragma once

#include <optional>
#include <string>

#include "engine/result.hpp"

namespace khost {

// What a trial that is kept does to the same trial, there already: yields to it, as both are the same, or takes its place.
enum class Kept { yields, replaces };

class TrialStore {
 public:
  explicit TrialStore(std::string cache_root);  // touches nothing
  // Before trials are begun: makes the folder, and removes what killed processes left anywhere in the cache. Throws a usage Error
  // when the folder cannot be made.
  void ready() const;
  std::string folder(const std::string& hash) const;
  bool has(const std::string& hash) const;
  // nullopt when absent, of another format version, or damaged (said on the log): it is then run again.
  std::optional<TrialResult> load(const std::string& hash) const;
  // A fresh folder for a running trial's artifacts; keep() writes trial.json there and renames it into place, discard() removes
  // it.
  std::string begin(const std::string& hash) const;
  void keep(const std::string& folder, const TrialResult& result, Kept kept = Kept::yields) const;
  void discard(const std::string& folder) const;

 private:
  std::string cache_, root_;
};

}  // namespace khost
