// This process, as files that it makes tell it to others.
#pragma once

#include <cstdint>
#include <string>

namespace khost {

// Enough to know a process again: a boot of a kernel, a pid namespace of it, a process id in that, and when that process began.
struct ProcessIdentity {
  std::string host, boot, pid_namespace;  // "" where /proc does not say
  std::int64_t pid = 0, begun = 0;

  bool same_kernel(const ProcessIdentity& other) const { return !boot.empty() && boot == other.boot; }
  bool same_namespace(const ProcessIdentity& other) const {
    return same_kernel(other) && !pid_namespace.empty() && pid_namespace == other.pid_namespace;
  }
};
ProcessIdentity this_process();

// Of another process in this pid namespace, by its identity; true when it cannot be told.
bool process_lives(const ProcessIdentity& process);

// What this process's files are kept by. A forked child has its own; its parent's files are not its own.
const void* process_mark();
const std::string& process_token();  // 16 hexadecimal digits that no other process has

// Touched every ten seconds until left, by a thread of this process.
void keep_touched(int file);
void leave(int file);

}  // namespace khost
