#include "run/housekeeping.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "artifact/temporary.hpp"
#include "khost/error.hpp"
#include "khost/interrupt.hpp"
#include "khost/json.hpp"
#include "page/reports.hpp"
#include "run/artifacts.hpp"
#include "run/run_folder.hpp"
#include "store/run_reader.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

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

bool is_hash(const std::string& name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string first_bytes(const fs::path& path, std::size_t size) {
  std::ifstream file(path, std::ios::binary);
  std::string text(size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// Whether khost made it, and what belongs to it.
std::optional<KeptEntry> cache_entry(const std::string& kind, const fs::path& path) {
  std::error_code none;
  if (!is_hash(path.filename())) return std::nullopt;
  const fs::path sidecar = path.string() + ".json", trial = path / "trial.json";
  if (kind == "trials") {
    if (!fs::is_regular_file(trial, none) || !first_bytes(trial, 16).starts_with("{\"khost_trial\":")) return std::nullopt;
    return KeptEntry{kind, path, {path}, size_of(path), time_of(trial)};
  }
  if (!fs::is_regular_file(fs::symlink_status(path, none))) return std::nullopt;
  if (kind == "checkpoints") {
    if (!first_bytes(path, 16).starts_with("khost checkpoint")) return std::nullopt;
    return KeptEntry{kind, path, {path}, size_of(path), time_of(path)};
  }
  try {
    const Json made = parse_json_file(sidecar);
    if (made.at("kind").as_string() != kind || !made.find("khost")) return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
  // The sidecar goes first: an artifact without one is none.
  return KeptEntry{kind, path, {sidecar, path}, size_of(path) + size_of(sidecar), time_of(sidecar)};
}

bool is_written_to(const fs::path& run) {
  std::error_code none;
  return fs::exists(run / run_lock, none) && maker_lives((run / run_lock).string());
}

std::optional<KeptEntry> run_entry(const fs::path& run) {
  if (is_written_to(run)) return std::nullopt;
  try {
    const RunReader is_khosts(run.string());
  } catch (const Error&) {
    return std::nullopt;
  }
  KeptEntry entry{"runs", run, {}, 0, time_of(run / "run.db")};
  std::vector<std::string> names(std::begin(report_files), std::end(report_files));
  for (const char* end : {"-shm", "-wal", ""}) names.push_back(std::string("run.db") + end);
  for (const std::string& name : names) {
    std::error_code none;
    if (!fs::is_regular_file(fs::symlink_status(run / name, none))) continue;
    entry.files.push_back(run / name);
    entry.bytes += size_of(run / name);
  }
  return entry;
}

}  // namespace

std::vector<KeptEntry> cache_entries(const std::string& root) {
  static const std::set<std::string> stays{"claims", "corpora", "owners"};
  std::vector<KeptEntry> all;
  std::error_code error;
  for (const auto& kind : fs::directory_iterator(root, error)) {
    std::error_code none;
    if (!kind.is_directory(none) || kind.is_symlink(none) || stays.contains(kind.path().filename())) continue;
    for (const auto& entry : fs::directory_iterator(kind.path(), none))
      if (auto made = cache_entry(kind.path().filename(), entry.path())) all.push_back(std::move(*made));
  }
  return all;
}

std::vector<KeptEntry> run_entries(const std::string& folder) {
  std::vector<KeptEntry> all;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error)) {
    std::error_code none;
    if (entry.path().filename() != "run.db" || !entry.is_regular_file(none) || entry.is_symlink(none)) continue;
    if (auto run = run_entry(entry.path().parent_path())) all.push_back(std::move(*run));
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
  std::error_code error, first;
  const auto note = [&] {
    if (error && !first) first = error;
  };
  if (entry.kind == "runs") {
    if (is_written_to(entry.path)) return false;
    // As another run into that folder would: what was handed out, and not changed since.
    remove_earlier_artifacts(TrialStore(""), {}, entry.path);
    fs::remove(fs::path(entry.path) / "artifacts", error);  // unless something is left in it
  }
  for (const std::string& file : entry.files) fs::remove_all(file, error), note();
  if (entry.kind == "runs") fs::remove(entry.path, error);  // likewise
  return !first;
}

}  // namespace khost
