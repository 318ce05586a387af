#include "compute/memory.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

namespace khost {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// cgroup 1 writes "no limit" as the greatest multiple of a page; nobody has so much.
constexpr double no_limit = 0x1p60;

double number_in(const std::string& path) {
  std::ifstream file(path);
  double value = infinity;
  if (!(file >> value)) return infinity;  // not there, or "max"
  return value >= no_limit ? infinity : value;
}

double machine(const std::string& root) {
  std::ifstream info(root + "/proc/meminfo");
  for (std::string line; std::getline(info, line);) {
    double kib = 0;
    if (line.starts_with("MemTotal:") && std::istringstream(line.substr(9)) >> kib) return kib * 1024;
  }
  return infinity;
}

// A group and all above it: each may set a limit of its own.
double least_upwards(const std::string& mount, std::string group, const char* file) {
  double least = infinity;
  for (;;) {
    least = std::min(least, number_in(mount + group + "/" + file));
    const std::size_t slash = group.rfind('/');
    if (group.empty() || slash == std::string::npos) return least;
    group.resize(slash);
  }
}

double control_groups(const std::string& root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  double least = infinity;
  for (std::string line; std::getline(groups, line);) {  // "0::/user.slice", "5:cpu,memory:/docker/abc"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",", group = line.substr(second + 1);
    if (controllers == ",,")
      least = std::min(least, least_upwards(root + "/sys/fs/cgroup", group, "memory.max"));
    else if (controllers.find(",memory,") != std::string::npos)
      least = std::min(least, least_upwards(root + "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
  }
  return least;
}

double address_space() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return infinity;
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

MemoryLimit memory_limit(const std::string& root) {
  MemoryLimit least{machine(root), "this machine has"};
  if (const double bytes = control_groups(root); bytes < least.bytes) least = {bytes, "this process's cgroup allows"};
  if (const double bytes = address_space(); bytes < least.bytes) least = {bytes, "ulimit -v allows"};
  return least;
}

std::string bytes_text(double bytes) {
  static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < std::size(units)) bytes /= 1024, ++unit;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2, units[unit]);
}

}  // namespace khost
