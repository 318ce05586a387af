#include "artifact/whole_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "artifact/file.hpp"
#include "khost/error.hpp"

namespace khost {
namespace {

std::size_t memory_of_this_machine() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(size) : SIZE_MAX;
}

}  // namespace

WholeFile read_whole_file(const std::string& path, std::string_view what) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::usage, std::string(what) + " '" + path + "': " + why);
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) throw_file_error("open " + std::string(what), path);
  struct Close {
    int file;
    ~Close() { ::close(file); }
  } close{file};
  struct stat status {};
  if (::fstat(file, &status) != 0) throw_file_error("open " + std::string(what), path);
  if (!S_ISREG(status.st_mode)) throw refuse("not a regular file");
  WholeFile whole;
  whole.size = static_cast<std::size_t>(status.st_size);
  if (whole.size > memory_of_this_machine())
    throw refuse("its " + std::to_string(whole.size) + " bytes are more than this machine's memory");
  whole.data = std::make_unique_for_overwrite<char[]>(whole.size + 1);  // one more, to see whether it grew
  std::size_t have = 0;
  for (;;) {
    const ssize_t got = ::read(file, whole.data.get() + have, whole.size + 1 - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_file_error("read " + std::string(what), path);
    have += static_cast<std::size_t>(got);
    if (got == 0 || have > whole.size) break;
  }
  if (have != whole.size)
    throw refuse("it had " + std::to_string(whole.size) + " bytes and " + (have > whole.size ? "grew" : "shrank") +
                 " while it was read")
        .hint("something is writing to it: wait for that to end, or copy the file first");
  return whole;
}

}  // namespace khost
