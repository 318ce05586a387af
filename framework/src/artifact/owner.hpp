// A file that says who made it and shows, to other processes, containers and hosts, whether its maker still lives.
//
// The maker holds an flock on it (on NFS the kernel makes it a lock of the server's), writes who it is, touches it every ten
// seconds, and removes it in the end. Its maker is dead when
//   the lock that it had can be taken, and it ran on this kernel (in whichever container) and saw the same mounted file system,
//   where that proves it; or
//   the maker ran in this pid namespace, and its process id belongs to no process or another one (locks may be refused: ENOLCK);
//   or neither can be told, and it was not touched for five minutes by the clock of its own file system.
// A process id alone proves nothing: each container and each host counts its own.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace khost {

class OwnerFile {
 public:
  // Makes `path`; null when a living maker holds it. One whose maker is dead is replaced. Throws a usage Error when the folder
  // cannot be written. `note` is for who finds it: "run 3f2a".
  static std::unique_ptr<OwnerFile> make(const std::string& path, const std::string& note = "");
  ~OwnerFile();  // removes it, in the process that made it
  OwnerFile(const OwnerFile&) = delete;
  OwnerFile& operator=(const OwnerFile&) = delete;

  // For the end of a process whose other threads still run: takes away the names of all that it holds.
  static void remove_all();

 private:
  OwnerFile(std::string path, int file);
  std::string path_;
  int file_;
  const void* process_;  // a forked child has a copy that is not its own
};

// True also when it cannot be told, and when there is no such file.
bool maker_lives(const std::string& path);

// Removes it if its maker is dead; true when there is no such file (any more). Two who try do not remove a third's.
bool remove_if_dead(const std::string& path);

struct Holder {
  std::string who;  // "process 4711 on host-a"; "" when the file does not say
  std::string note;
  bool known() const { return !who.empty(); }
};
Holder holder_of(const std::string& path);

// How long ago a file was touched, by the clock of its file system: this host's may go wrong. Nothing when it is gone or nothing
// can be written beside it.
std::optional<std::chrono::seconds> age_of(const std::string& path);

}  // namespace khost
