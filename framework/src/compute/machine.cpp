#include "compute/machine.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

namespace khost {
namespace {

// The value of the first line "key : value" of /proc/cpuinfo.
std::string cpu_info(std::string_view key) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with(key)) {
      const std::size_t colon = line.find(':');
      if (colon != std::string::npos) return line.substr(std::min(line.size(), colon + 2));
    }
  return "";
}

}  // namespace

std::string cpu_name() {
  const std::string name = cpu_info("model name");
  return name.empty() ? "unknown" : name;
}

std::vector<std::string> cpu_features() {
  static const std::set<std::string, std::less<>> telling{
      "sse4_2",   "avx",      "avx2",        "fma",         "f16c",        "avx_vnni", "avx512f",  "avx512bw",
      "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
      "asimd",    "asimddp",  "sve",         "sve2",        "bf16",        "i8mm"};
  std::istringstream flags(cpu_info("flags") + " " + cpu_info("Features"));  // x86, Arm
  std::vector<std::string> found;
  for (std::string flag; flags >> flag;)
    if (telling.contains(flag)) found.push_back(flag);
  return found;
}

std::vector<std::string> mapped_libraries(const std::vector<std::string_view>& stems) {
  std::set<std::string> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::size_t path = line.find('/');
    if (path == std::string::npos) continue;
    const std::string_view name = std::string_view(line).substr(line.rfind('/') + 1);
    for (const std::string_view stem : stems)
      if (name.starts_with(stem) && name.size() > stem.size() && (name[stem.size()] == '.' || name[stem.size()] == '-'))
        found.insert(line.substr(path));
  }
  return {found.begin(), found.end()};
}

}  // namespace khost
