// The folder that one run writes at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "artifact/lock.hpp"

namespace khost {

// A relative path as it was meant: a probe may have changed the working folder since.
std::string where_started(const std::string& path);

inline constexpr const char* run_lock = "khost.lock";  // in the folder, while a run holds it

class RunFolder {
 public:
  // Makes it and holds it. While the same run (by its hash) holds it in another process, that is said and waited for: its trials
  // are then in the cache. Throws a usage Error while another run holds it, and when it cannot be made; an interrupted Error.
  RunFolder(std::string path, const std::string& run_hash, const std::function<void(std::string_view)>& say);

  const std::string& path() const { return path_; }    // as it was given, to be shown
  const std::string& where() const { return where_; }  // absolute, to be written to
  std::string operator/(const std::string& name) const { return where_ + "/" + name; }

 private:
  std::string path_, where_;
  FileLock lock_;
};

}  // namespace khost
