#include "compute/cpu_quota.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <vector>

#include "khost/openmp.hpp"

namespace khost {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<double> number(const std::string& text) {
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  double value = 0;
  if (in >> value) return value;
  return std::nullopt;  // "max"
}

double processors(std::optional<double> quota, std::optional<double> period) {
  const bool limited = quota && *quota > 0 && period && *period > 0;  // version 1: -1 is no limit
  return limited ? *quota / *period : std::numeric_limits<double>::infinity();
}

double limit_in(const std::string& folder, bool version_2) {
  if (!version_2)
    return processors(number(first_line(folder + "/cpu.cfs_quota_us")), number(first_line(folder + "/cpu.cfs_period_us")));
  std::istringstream words(first_line(folder + "/cpu.max"));  // "max 100000", "150000 100000"
  std::string quota, period;
  words >> quota >> period;
  return processors(number(quota), number(period));
}

bool among(const std::string& list, std::string_view word) {
  std::istringstream words(list);
  for (std::string each; std::getline(words, each, ',');)
    if (each == word) return true;
  return false;
}

struct Mount {
  std::string root, point;  // which group is seen where
  bool version_2;
};

// "36 35 0:29 / /sys/fs/cgroup/cpu rw,... shared:9 - cgroup cgroup rw,cpu,cpuacct"
std::vector<Mount> cpu_mounts(const std::string& root) {
  std::vector<Mount> found;
  std::ifstream lines(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, type, source, options;
    Mount mount;
    words >> id >> parent >> device >> mount.root >> mount.point;
    for (std::string word; words >> word && word != "-";) {
    }
    words >> type >> source >> options;
    mount.version_2 = type == "cgroup2";
    if (mount.version_2 || (type == "cgroup" && among(options, "cpu"))) found.push_back(std::move(mount));
  }
  return found;
}

// The group this process is in, of version 2 or of version 1's controller `cpu`: "0::/user.slice", "4:cpu,cpuacct:/docker/1a".
std::optional<std::string> group_of(const std::string& root, bool version_2) {
  std::ifstream lines(root + "/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (version_2 ? line.starts_with("0::") : among(controllers, "cpu")) return line.substr(second + 1);
  }
  return std::nullopt;
}

}  // namespace

double cpu_quota(const std::string& root) {
  double least = std::numeric_limits<double>::infinity();
  for (const Mount& mount : cpu_mounts(root)) {
    std::optional<std::string> group = group_of(root, mount.version_2);
    if (!group) continue;
    // Where a part of the hierarchy is mounted (a container without a namespace of its own), paths below it count.
    if (mount.root != "/" && group->starts_with(mount.root)) group = group->substr(mount.root.size());
    for (std::string below = *group == "/" ? "" : *group;; below = below.substr(0, below.rfind('/'))) {
      least = std::min(least, limit_in(root + mount.point + below, mount.version_2));
      if (below.rfind('/') == std::string::npos) break;
    }
  }
  return std::isinf(least) ? 0 : least;
}

int available_processors() {
  int processors = std::min(omp_get_num_procs(), omp_get_thread_limit());
  if (const double quota = cpu_quota(); quota > 0)
    processors = std::min(processors, static_cast<int>(std::ceil(std::min(quota, 1e6))));
  return std::max(1, processors);
}

}  // namespace khost
