// Files that are either whole and on disk, or not there.
#pragma once

#include <string>
#include <string_view>

namespace khost {

// A usage Error from errno: "cannot WHAT 'PATH': No space left on device", with the mend where there is one.
[[noreturn]] void throw_file_error(std::string_view what, const std::string& path);

// A file being written under a name of its own; keep() flushes it to the disk and renames it to `path`. Dropped before keep() it
// leaves nothing behind.
class NewFile {
 public:
  explicit NewFile(std::string path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  void write(const void* data, std::size_t size);
  void write_all_of(const std::string& other);  // another file's content
  void keep();

 private:
  std::string path_, temporary_;
  int file_ = -1;
};

// A whole file at once, by way of NewFile.
void write_file_atomically(const std::string& path, std::string_view content);

// A copy of a file, by way of NewFile: what is done to one is not seen in the other.
void copy_file_atomically(const std::string& from, const std::string& to);

// The time of a file that is used: now. Whatever goes wrong with that does not matter.
void mark_used(const std::string& path);

// Makes what has been written to a file, or the names in a folder, survive a power cut.
void flush_to_disk(const std::string& path);

}  // namespace khost
