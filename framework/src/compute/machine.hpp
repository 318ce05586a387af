// What this machine and this process are, as /proc tells it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace khost {

std::string cpu_name();  // "unknown" where the system does not say

// Those of the CPU's features that matter to matrix products and vector kernels, by the system's names: "avx2", "fma".
std::vector<std::string> cpu_features();

// Files mapped into this process whose name begins with one of the stems, each once: "/lib/libgomp.so.1.0.0" for "libgomp".
std::vector<std::string> mapped_libraries(const std::vector<std::string_view>& stems);

}  // namespace khost
