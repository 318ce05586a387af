// Which kernels this CPU can run: asked before a library is told to use some, as libraries that are told do not ask.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <string>

namespace khost::blas {

// What /proc/cpuinfo says of one processor. Asked of the kernel: it knows what the system saves of a thread's registers, and the
// compiler's own test would bring a static initialiser.
struct Cpu {
  std::string vendor, flags;
  int family = 0;

  [[nodiscard]] bool has(std::initializer_list<const char*> wanted) const {
    return std::ranges::all_of(wanted,
                               [&](const char* flag) { return flags.find(' ' + std::string(flag) + ' ') != std::string::npos; });
  }
};

inline Cpu this_cpu() {
  Cpu cpu;
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line) && cpu.flags.empty();) {
    const std::string value = line.substr(std::min(line.size(), line.find(':') + 1));
    if (line.starts_with("vendor_id")) cpu.vendor = value;
    if (line.starts_with("cpu family")) cpu.family = std::atoi(value.c_str());
    if (line.starts_with("flags")) cpu.flags = value + ' ';
  }
  return cpu;
}

}  // namespace khost::blas
