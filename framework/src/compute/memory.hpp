// How much memory this process may have.
#pragma once

#include <string>

namespace khost {

struct MemoryLimit {
  double bytes = 0;  // infinite when nothing tells
  std::string what;  // "this machine has", "this process's cgroup allows", "ulimit -v allows"
};

// The least of the machine's memory, the limits of the process's control groups (version 2 and 1, those above included) and its
// address space. `root` stands before the paths of /proc and /sys, for tests.
MemoryLimit memory_limit(const std::string& root = "");

// "312 MiB", "15.6 GiB": three digits.
std::string bytes_text(double bytes);

}  // namespace khost
