// A disk that fills up, under the cache and under the run's folder: what was finished is kept, and once there is room the same
// command gives what it would have given.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

#include "e2e/everything.hpp"
#include "e2e/khost_program.hpp"

namespace fs = std::filesystem;
using namespace khost;
using namespace khost::test;

namespace {

bool mounts_permitted() {
  static const bool permitted = std::system("unshare -rm mount -t tmpfs none /tmp 2>/dev/null") == 0;
  if (!permitted) MESSAGE("a file system of its own is not permitted here: left out");
  return permitted;
}

std::uintmax_t size_of(const fs::path& folder) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

struct Twice {
  int first = -1, second = -1;
  std::string first_err, second_err;
};

// Runs it twice, with `folder` a file system of that many bytes, and then of many more; what is in it at the end is there when it
// is gone.
Twice on_small_disk(const Khost& khost, const std::string& folder, std::uintmax_t bytes, const std::vector<std::string>& words) {
  static const char* script = R"(size=$1; folder=$2; shift 2
mount -t tmpfs -o size=$size none "$folder" || exit 77
"$@"; first=$?
echo "== $first" >&2
mount -o remount,size=256m "$folder"
"$@"; second=$?
echo "== $second" >&2
cp -r "$folder" "$folder.kept"; umount "$folder"; rm -rf "$folder"; mv "$folder.kept" "$folder")";
  const std::string path = khost.scratch / folder;
  fs::remove_all(path);
  fs::create_directories(path);
  Started run(khost, words, {"unshare", "-rm", "sh", "-c", script, "sh", std::to_string(bytes), path});
  REQUIRE_MESSAGE(run.wait() == 0, run.err());
  Twice twice;
  std::istringstream lines(run.err());
  std::string* into = &twice.first_err;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("== ")) {
      *into += line + "\n";
      continue;
    }
    (into == &twice.first_err ? twice.first : twice.second) = std::stoi(line.substr(3));
    into = &twice.second_err;
  }
  return twice;
}

// What a run of everything gives that nothing disturbs, in "alone".
struct Undisturbed {
  std::string manifest, records;
  std::map<std::string, std::string> files;

  explicit Undisturbed(const Khost& khost) : manifest(everything(khost)) {
    REQUIRE(khost({manifest, "--out", "alone"}).code == 0);
    records = test::records(khost, "alone");
    files = artifact_files(khost, "alone");
  }
};

std::size_t lines_with(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a full disk under the cache costs the trials it has no room for; with room, the same command has the rest") {
  if (!mounts_permitted()) return;
  const Khost khost;
  const Undisturbed alone(khost);
  const std::uintmax_t whole = size_of(khost.scratch / "cache");
  bool some = false;  // trials were finished, and others not
  for (const char* workers : {"threads", "processes"})
    for (const double part : {0.05, 0.3, 0.6, 0.9}) {
      CAPTURE(workers);
      CAPTURE(part);
      const auto bytes = static_cast<std::uintmax_t>(part * static_cast<double>(whole));
      const Twice twice =
          on_small_disk(khost, "cache", bytes, {alone.manifest, "--out", "run", "--workers", workers, "--checkpoint", "0"});
      INFO(twice.first_err);
      // Of a null that could not be kept its figures stand without it, which is said, and no trial failed.
      CHECK((twice.first == 4 || twice.first == 2 || (twice.first == 0 && has(twice.first_err, "could not be drawn"))));
      CHECK(has(twice.first_err, "No space left on device"));
      CHECK_MESSAGE(twice.second == 0, twice.second_err);
      CHECK(records(khost, "run") == alone.records);
      CHECK(artifact_files(khost, "run") == alone.files);
      // What was finished is not computed again.
      const std::size_t finished = lines_with(twice.first_err, ": loss ");
      CHECK(lines_with(twice.second_err, ", from the cache") >= finished);
      some = some || (finished > 0 && twice.first == 4);
      fs::remove_all(khost.scratch / "run");
    }
  CHECK(some);
}

TEST_CASE("a full disk under the run's folder costs its files, and no trial; with room, they are written from the cache") {
  if (!mounts_permitted()) return;
  const Khost khost;
  const Undisturbed alone(khost);
  const std::uintmax_t whole = size_of(khost.scratch / "alone");
  for (const double part : {0.02, 0.2, 0.5, 0.8}) {
    CAPTURE(part);
    fs::remove_all(khost.scratch / "cache");
    const auto bytes = static_cast<std::uintmax_t>(part * static_cast<double>(whole));
    const Twice twice = on_small_disk(khost, "run", bytes, {alone.manifest, "--out", "run"});
    INFO(twice.first_err);
    CHECK(twice.first == 2);
    CHECK_MESSAGE(twice.second == 0, twice.second_err);
    CHECK(records(khost, "run") == alone.records);
    CHECK(artifact_files(khost, "run") == alone.files);
    const std::size_t finished = lines_with(twice.first_err, ": loss ");
    CHECK(lines_with(twice.second_err, ", from the cache") >= finished);
  }
}
