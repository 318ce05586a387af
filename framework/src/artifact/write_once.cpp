#include "artifact/write_once.hpp"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "artifact/file.hpp"
#include "artifact/temporary.hpp"
#include "khost/error.hpp"

namespace fs = std::filesystem;

namespace khost {

bool write_once(const std::string& path, std::string_view content) {
  std::error_code error;
  const std::string folder = fs::path(path).parent_path();
  fs::create_directories(folder, error);
  if (error)
    throw Error(ErrorKind::usage, "cannot make the folder " + folder + ": " + error.message())
        .hint("set KHOST_CACHE to a folder that can be written");
  if (fs::exists(path, error)) return false;
  const std::string whole = temporary_name(path);
  write_file_atomically(whole, content);
  // A link is made or refused, and never replaces what is there. Where there are no hard links, the name itself is taken first.
  bool made = ::link(whole.c_str(), path.c_str()) == 0;
  if (!made && errno != EEXIST && !fs::exists(path, error)) {
    fs::rename(whole, path, error);
    if (error) throw_file_error("write", path);
    made = true;
  }
  fs::remove(whole, error);
  flush_to_disk(folder);
  return made;
}

}  // namespace khost
