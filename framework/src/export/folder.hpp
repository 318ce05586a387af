// A folder that an export fills. khost-export.json in it tells that khost wrote it, and what: so that a later export may replace
// that, and nothing of anybody else's.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "khost/json.hpp"

namespace khost {

inline constexpr const char* export_note = "khost-export.json";

// A part of a manifest as a file's name: letters, digits, '_', '-' and '.' stay (a '.' not at its beginning), any other byte
// becomes %XX. Two texts never have one name. Throws a usage Error for an empty one, and for a name that is longer than file
// systems take.
std::string file_name_of(std::string_view text);

// The files of one trial or base, written one by one.
class ExportFolder {
 public:
  // Changes nothing. Throws a usage Error where the folder holds anything and no such note, or what is no folder stands there.
  ExportFolder(std::string path, std::string to, std::vector<std::string> files);
  // Before the first file: makes the folder, and notes that `files` are khost's. Throws a usage Error.
  void begin() const;
  std::string operator/(const std::string& file) const { return path_ + "/" + file; }
  // When all of them are written: removes what an earlier export had written beside them. `of`: what the note tells of them.
  void keep(const Json& of) const;

 private:
  std::string path_, to_;
  std::vector<std::string> files_, stale_;
};

// Event files of any number of runs: <folder>/<experiment>/<base>/<arm>/<trial>/.
class EventFolder {
 public:
  // Throws as ExportFolder.
  explicit EventFolder(std::string path);
  // A run's events will be written. Throws a usage Error where those of another run of that experiment are.
  void begin(const std::string& experiment, const std::string& run_hash);
  // The file of a trial, in its folder, which is made; nothing is there yet. Throws a usage Error when it cannot be made.
  std::string file(const std::string& experiment, const std::string& base, const std::string& arm, std::int64_t draw,
                   std::uint64_t seed) const;

 private:
  std::string path_;
  std::map<std::string, std::string> runs_;  // hash by experiment
};

}  // namespace khost
