#include "store/housekeeping.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "artifact/temporary.hpp"
#include "khost/error.hpp"
#include "khost/interrupt.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

constexpr const char* run_lock = "khost.lock";

std::string clean_lock(const std::string& root) { return root + "/clean.lock"; }

std::chrono::system_clock::time_point time_of(const fs::path& path) {
  std::error_code gone;
  const auto time = fs::last_write_time(path, gone);
  return gone ? std::chrono::system_clock::time_point()
              : std::chrono::time_point_cast<std::chrono::system_clock::duration>(std::chrono::file_clock::to_sys(time));
}

std::uintmax_t size_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(path, error))) {
    const auto bytes = fs::file_size(path, error);
    return error ? 0 : bytes;
  }
  std::uintmax_t sum = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, error)) {
    std::error_code none;
    if (!entry.is_regular_file(none)) continue;
    const auto bytes = entry.file_size(none);
    if (!none) sum += bytes;
  }
  return sum;
}

bool is_of_somebody(const std::string& name) { return is_temporary_name(name) || name.ends_with(".lock"); }

}  // namespace

std::vector<KeptEntry> cache_entries(const std::string& root) {
  static const std::set<std::string> not_computed{"claims", "corpora", "owners"};
  std::vector<KeptEntry> all;
  std::error_code error;
  for (const auto& kind : fs::directory_iterator(root, error)) {
    const std::string name = kind.path().filename();
    std::error_code none;
    if (!kind.is_directory(none) || not_computed.contains(name)) continue;
    for (const auto& entry : fs::directory_iterator(kind.path(), none)) {
      const std::string file = entry.path().filename();
      if (is_of_somebody(file) || file.ends_with(".json")) continue;
      KeptEntry& kept = all.emplace_back(KeptEntry{name, entry.path(), {}, size_of(entry.path()), time_of(entry.path())});
      const fs::path sidecar = entry.path().string() + ".json", trial = entry.path() / "trial.json";
      if (fs::is_regular_file(sidecar, none)) {
        kept.files.push_back(sidecar);
        kept.bytes += size_of(sidecar);
        kept.used = time_of(sidecar);
      } else if (fs::is_regular_file(trial, none)) {
        kept.used = time_of(trial);
      }
    }
  }
  return all;
}

std::vector<KeptEntry> run_entries(const std::string& folder) {
  std::vector<KeptEntry> all;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error)) {
    std::error_code none;
    if (entry.path().filename() != "run.db" || !entry.is_regular_file(none)) continue;
    const fs::path run = entry.path().parent_path(), lock = run / run_lock;
    if (fs::exists(lock, none) && maker_lives(lock)) continue;
    all.push_back({"runs", run, {}, size_of(run), time_of(entry.path())});
  }
  return all;
}

std::vector<KeptEntry> chosen(std::vector<KeptEntry> all, const CleanRule& rule, std::chrono::system_clock::time_point now) {
  if (!rule.kinds.empty())
    std::erase_if(all, [&](const KeptEntry& k) { return std::ranges::find(rule.kinds, k.kind) == rule.kinds.end(); });
  std::ranges::stable_sort(all, {}, &KeptEntry::used);
  if (!rule.older && !rule.shrink_to) return all;
  std::uintmax_t stays = 0;
  for (const KeptEntry& k : all) stays += k.bytes;
  std::vector<KeptEntry> out;
  for (KeptEntry& k : all) {
    const bool too_old = rule.older && now - k.used > *rule.older, too_much = rule.shrink_to && stays > *rule.shrink_to;
    if (!too_old && !too_much) continue;
    stays -= k.bytes;
    out.push_back(std::move(k));
  }
  return out;
}

// A run makes itself known before it looks for who cleans, and who cleans holds the lock before it looks for runs: whichever
// comes second sees the other.
void enter_cache(const std::string& root, const std::function<void(std::string_view)>& say) {
  own_temporaries(root);
  std::error_code none;
  for (bool said = false; fs::exists(clean_lock(root), none) && maker_lives(clean_lock(root)); said = true) {
    check_interrupt();
    if (!said) say("waiting for khost clean (" + holder_of(clean_lock(root)).who + "), which is at this cache");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

CleaningCache::CleaningCache(const std::string& root) : lock_(clean_lock(root), "khost clean") {
  if (!lock_.try_take()) throw Error(ErrorKind::usage, "another khost clean is at the cache " + root);
  if (const auto others = others_at(root); !others.empty())
    throw Error(ErrorKind::usage, "the cache " + root + " is used by " +
                                      (others.front().known() ? others.front().who : "a process that does not say who it is") +
                                      (others.size() > 1 ? " and " + std::to_string(others.size() - 1) + " more" : "") +
                                      ": nothing of it is removed")
        .hint("wait until it has ended; without --yes the same command only shows what there is");
}

bool remove(const KeptEntry& entry) {
  std::error_code first, second;
  // The sidecar first: an artifact without one is none.
  for (const std::string& file : entry.files) fs::remove(file, first);
  fs::remove_all(entry.path, second);
  return !first && !second;
}

}  // namespace khost
