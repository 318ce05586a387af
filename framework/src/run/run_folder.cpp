#include "run/run_folder.hpp"

#include <filesystem>
#include <utility>

#include "artifact/temporary.hpp"
#include "khost/error.hpp"

namespace fs = std::filesystem;

namespace khost {
namespace {

std::string note_of(const std::string& run_hash) { return "run " + run_hash; }

// Nobody else writes here now.
void remove_temporaries(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (is_temporary_name(entry.path().filename().string())) fs::remove_all(entry.path(), error);
}

const fs::path& first_folder() {
  static const fs::path folder = [] {
    std::error_code gone;
    return fs::current_path(gone);
  }();
  return folder;
}
[[maybe_unused]] const fs::path& asked_before_main = first_folder();

}  // namespace

std::string where_started(const std::string& path) { return first_folder() / path; }

RunFolder::RunFolder(std::string path, const std::string& run_hash, const std::function<void(std::string_view)>& say)
    : path_(std::move(path)), where_(where_started(path_)), lock_(where_ + "/" + run_lock, note_of(run_hash)) {
  std::error_code made;
  fs::create_directories(where_, made);
  if (made)
    throw Error(ErrorKind::usage, "the run's folder " + path_ + " cannot be made: " + made.message())
        .hint("--out names another folder");
  lock_.take([&](const Holder& holder) {
    if (!holder.note.empty() && holder.note != note_of(run_hash))
      throw Error(ErrorKind::usage, "another run writes to the folder " + path_ + ": " + holder.note + ", " + holder.who +
                                        "; this is " + note_of(run_hash))
          .hint("--out names another folder, or wait until it has ended");
    say("waiting for " + holder.who + ", which is at the same run and writes to " + path_);
  });
  remove_temporaries(where_);
  remove_temporaries(where_ + "/artifacts");
}

}  // namespace khost
