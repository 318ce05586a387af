#include "artifact/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "artifact/temporary.hpp"
#include "khost/error.hpp"

namespace khost {

void throw_file_error(std::string_view what, const std::string& path) {
  const int cause = errno;
  Error error(ErrorKind::usage, "cannot " + std::string(what) + " '" + path + "': " + std::strerror(cause));
  if (cause == ENOSPC || cause == EDQUOT)
    error.hint("free some space, or set KHOST_CACHE (or --out) to a folder on a larger disk");
  if (cause == EACCES || cause == EROFS || cause == EPERM)
    error.hint("set KHOST_CACHE (or --out) to a folder that you may write to");
  throw error;
}

NewFile::NewFile(std::string path) : path_(std::move(path)) {
  temporary_ = temporary_name(path_);
  file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file_ < 0) throw_file_error("write", path_);
}

NewFile::~NewFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void NewFile::write(const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t done = ::write(file_, at, size);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) throw_file_error("write", path_);
    at += done;
    size -= static_cast<std::size_t>(done);
  }
}

void NewFile::keep() {
  if (::fsync(file_) != 0) throw_file_error("write", path_);
  if (::close(std::exchange(file_, -1)) != 0) throw_file_error("write", path_);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) throw_file_error("write", path_);
  temporary_.clear();
}

void write_file_atomically(const std::string& path, std::string_view content) {
  NewFile file(path);
  file.write(content.data(), content.size());
  file.keep();
}

void NewFile::write_all_of(const std::string& other) {
  const int from = ::open(other.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) throw_file_error("open", other);
  struct Close {
    int file;
    ~Close() { ::close(file); }
  } close{from};
  std::vector<char> buffer(1 << 20);
  for (;;) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got == 0) return;
    if (got > 0)
      write(buffer.data(), static_cast<std::size_t>(got));
    else if (errno != EINTR)
      throw_file_error("read", other);
  }
}

void copy_file_atomically(const std::string& from, const std::string& to) {
  NewFile file(to);
  file.write_all_of(from);
  file.keep();
}

void flush_to_disk(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw_file_error("open", path);
  const int result = ::fsync(file);
  const int cause = errno;
  ::close(file);
  // Some file systems have no fsync for a folder; its names are then as safe as they can be.
  if (result != 0 && cause != EINVAL) {
    errno = cause;
    throw_file_error("write", path);
  }
}

void mark_used(const std::string& path) { (void)!::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

}  // namespace khost
