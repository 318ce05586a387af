// What takes room: the cache's entries and runs' folders, what of it may go, and that nobody uses it meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/lock.hpp"

namespace khost {

struct KeptEntry {
  std::string kind;                // "trials", "base", "checkpoints" ...; "runs"
  std::string path;                // the file, or the folder
  std::vector<std::string> files;  // that belong to it: of a folder that may hold others' things, all that goes
  std::uintmax_t bytes = 0;
  std::chrono::system_clock::time_point used;  // last
};

// All of the cache that is computed again when it is missing: not the ledger of claims, nor the corpora, which ./bootstrap
// brings.
std::vector<KeptEntry> cache_entries(const std::string& root);
// The runs in a folder, at any depth: what has a run.db of khost's. Only what khost wrote there is of it. A folder that a run
// writes to just now is none.
std::vector<KeptEntry> run_entries(const std::string& folder);

struct CleanRule {
  std::vector<std::string> kinds;           // empty: all
  std::optional<std::chrono::hours> older;  // not used since then
  std::optional<std::uintmax_t> shrink_to;  // bytes that may stay in all: what was used last stays
};
// What goes by that rule, in the order of its last use. Without `older` and `shrink_to` it is all of these kinds.
std::vector<KeptEntry> chosen(std::vector<KeptEntry> all, const CleanRule& rule, std::chrono::system_clock::time_point now);

// Before a run finds anything in the cache: others know of it, and none cleans it. Waits for one that does; throws an interrupted
// Error, and a usage Error when the cache cannot be written.
void enter_cache(const std::string& root, const std::function<void(std::string_view)>& say);

// While it lives, no run finds anything in the cache. Throws a usage Error while one, or another such, is at it.
class CleaningCache {
 public:
  explicit CleaningCache(const std::string& root);

 private:
  FileLock lock_;
};

// False when it could not be removed, all of it, or a run is at it by now. Of a run's folder what khost wrote goes, and the
// folder when nothing else is in it.
bool remove(const KeptEntry& entry);

}  // namespace khost
