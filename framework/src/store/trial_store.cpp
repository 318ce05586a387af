#include "store/trial_store.hpp"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "artifact/file.hpp"
#include "artifact/temporary.hpp"
#include "khost/json.hpp"
#include "store/trial_files.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

std::string fresh_folder(const std::string& wanted) {
  const std::string folder = temporary_name(wanted);
  if (::mkdir(folder.c_str(), 0777) != 0) throw_file_error("make the folder", folder);
  return folder;
}

}  // namespace

TrialStore::TrialStore(std::string cache_root) : cache_(std::move(cache_root)), root_(fs::path(cache_) / "trials") {}

void TrialStore::ready() const {
  std::error_code error;
  fs::create_directories(root_, error);
  if (error) {
    errno = error.value();
    throw_file_error("make the folder", root_);
  }
  remove_leftovers(cache_);
}

std::string TrialStore::folder(const std::string& hash) const { return fs::path(root_) / hash; }

bool TrialStore::has(const std::string& hash) const {
  std::error_code error;
  return fs::is_regular_file(fs::path(folder(hash)) / "trial.json", error);
}

std::optional<TrialResult> TrialStore::load(const std::string& hash) const {
  if (!has(hash)) return std::nullopt;
  const std::string path = fs::path(folder(hash)) / "trial.json";
  try {
    const Json file = parse_json_file(path);
    if (const std::int64_t format = file.at("khost_trial").as_integer(); format != trial_format) {
      spdlog::info("{} has format {}, this khost reads format {}: the trial is run again", path, format, trial_format);
      return std::nullopt;
    }
    TrialResult result = read_trial(file, folder(hash));
    if (result.hash != hash) throw Error(ErrorKind::usage, "it is of the trial " + result.hash + ", expected " + hash);
    if (result.status != "done") throw Error(ErrorKind::usage, "its status is '" + result.status + "', expected 'done'");
    result.reused = true;
    mark_used(path);
    return result;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;  // nothing is known of it then
    const std::string where = e.place().known() ? e.place().text() : path;
    spdlog::warn("{}: damaged, {}; the trial is run again", where, e.message());
    return std::nullopt;
  }
}

std::string TrialStore::begin(const std::string& hash) const {
  own_temporaries(cache_);
  return fresh_folder(folder(hash));
}

void TrialStore::keep(const std::string& temporary, const TrialResult& result, Kept kept) const {
  if (result.status != "done") throw Error(ErrorKind::trial, "a trial with status '" + result.status + "' is not kept");
  const TrialFiles files = trial_files(result, temporary);
  write_file_atomically(fs::path(temporary) / points_file, files.points);
  write_file_atomically(fs::path(temporary) / "trial.json", files.json);

  const std::string wanted = folder(result.hash);
  for (int attempt = 0;; ++attempt) {
    if (::rename(temporary.c_str(), wanted.c_str()) == 0) break;
    const int reason = errno;
    if ((reason != ENOTEMPTY && reason != EEXIST && reason != ENOTDIR) || attempt == 8)
      throw Error(ErrorKind::usage, "cannot rename " + temporary + " to " + wanted + ": " + std::strerror(reason));
    if (kept == Kept::yields && load(result.hash)) {  // another process was first: the same trial, so the same result
      discard(temporary);
      return;
    }
    // What stands there is damaged, or to be replaced. It is moved away in one step, so that nobody sees half of it.
    const std::string aside = fresh_folder(wanted);
    if (::rename(wanted.c_str(), aside.c_str()) != 0) ::rename(wanted.c_str(), (aside + "/damaged").c_str());
    discard(aside);
  }
  flush_to_disk(root_);
}

void TrialStore::discard(const std::string& temporary) const {
  std::error_code error;
  fs::remove_all(temporary, error);
  if (error) spdlog::warn("cannot remove {}: {}", temporary, error.message());
}

}  // namespace khost
