#include "artifact/whole_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "artifact/file.hpp"
#include "khost/error.hpp"

namespace khost {
namespace {

std::size_t memory_of_this_machine() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(size) : SIZE_MAX;
}

// A regular file of a size that memory holds, open.
class Opened {
 public:
  Opened(const std::string& path, std::string_view what) : path_(path), what_(what) {
    file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file_ < 0) throw_file_error("open " + what_, path_);
    struct stat status {};
    try {
      if (::fstat(file_, &status) != 0) throw_file_error("open " + what_, path_);
      if (!S_ISREG(status.st_mode)) throw refuse("not a regular file");
      size_ = static_cast<std::size_t>(status.st_size);
      if (size_ > memory_of_this_machine())
        throw refuse("its " + std::to_string(size_) + " bytes are more than this machine's memory");
    } catch (...) {
      ::close(file_);
      throw;
    }
  }
  ~Opened() { ::close(file_); }
  Opened(const Opened&) = delete;

  int file() const { return file_; }
  std::size_t size() const { return size_; }
  Error refuse(const std::string& why) const { return Error(ErrorKind::usage, what_ + " '" + path_ + "': " + why); }
  [[noreturn]] void fail(const std::string& doing) const { throw_file_error(doing + " " + what_, path_); }

 private:
  std::string path_, what_;
  int file_ = -1;
  std::size_t size_ = 0;
};

constexpr std::align_val_t alignment{64};  // as a Tensor's

}  // namespace

WholeFile read_whole_file(const std::string& path, std::string_view what) {
  const Opened opened(path, what);
  WholeFile whole;
  whole.size = opened.size();
  // One more, to see whether it grew.
  char* data = static_cast<char*>(::operator new(whole.size + 1, alignment));
  whole.data = {data, [](const char* p) { ::operator delete(const_cast<char*>(p), alignment); }};
  std::size_t have = 0;
  for (;;) {
    const ssize_t got = ::read(opened.file(), data + have, whole.size + 1 - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) opened.fail("read");
    have += static_cast<std::size_t>(got);
    if (got == 0 || have > whole.size) break;
  }
  if (have != whole.size)
    throw opened
        .refuse("it had " + std::to_string(whole.size) + " bytes and " + (have > whole.size ? "grew" : "shrank") +
                " while it was read")
        .hint("something is writing to it: wait for that to end, or copy the file first");
  return whole;
}

WholeFile map_whole_file(const std::string& path, std::string_view what) {
  const Opened opened(path, what);
  if (opened.size() == 0) return read_whole_file(path, what);  // nothing of it can be mapped
  void* data = ::mmap(nullptr, opened.size(), PROT_READ, MAP_SHARED, opened.file(), 0);
  if (data == MAP_FAILED) opened.fail("map");
  const std::size_t size = opened.size();
  return {{static_cast<const char*>(data), [size](const char* p) { ::munmap(const_cast<char*>(p), size); }}, size};
}

}  // namespace khost
