// What the simulations share: how many experiments, and how far a share of them may be from its nominal level.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "khost/random.hpp"

namespace simulated {

inline constexpr double infinity = std::numeric_limits<double>::infinity();

inline int experiments() {
  static const int n = [] {
    const char* set = std::getenv("KHOST_EXPERIMENTS");
    return set ? std::max(1, std::atoi(set)) : 2000;
  }();
  return n;
}

// More experiments show true levels more closely (decision 0005); the bound stays where 2,000 put it.
inline double bound(double nominal) { return nominal + 3 * std::sqrt(nominal * (1 - nominal) / std::min(experiments(), 2000)); }

inline double exponential(khost::Random& r) { return -std::log(1 - r.uniform()); }

}  // namespace simulated
