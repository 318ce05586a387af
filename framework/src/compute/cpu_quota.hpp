// How much of the machine this process may use.
#pragma once

#include <string>

namespace khost {

// Processors' worth of time that the control groups allow it (a container's --cpus), version 1 or 2, each group up to the root;
// 0 where there is no limit. `root` stands before /proc and /sys, for tests.
double cpu_quota(const std::string& root = "");

// Processors to use: those this process may run on, no more than its quota (rounded up: half a processor is one thread) and
// OMP_THREAD_LIMIT; at least 1.
int available_processors();

}  // namespace khost
