#include "artifact/share.hpp"

#include <cstdlib>
#include <filesystem>

namespace fs = std::filesystem;

namespace khost {

std::vector<std::string> share_folders() {
  if (const char* given = std::getenv("KHOST_SHARE"); given && *given) return {given};
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const fs::path prefix = executable.parent_path().parent_path();
  return {prefix / "share" / "khost", prefix / "share"};
}

std::string share_file(const std::string& relative) {
  std::error_code error;
  for (const std::string& folder : share_folders())
    if (fs::is_regular_file(fs::path(folder) / relative, error)) return fs::path(folder) / relative;
  return "";
}

}  // namespace khost
