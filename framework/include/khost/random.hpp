// Random numbers that do not depend on who else draws: one stream per (seed, instance, purpose).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace khost {

// Counter-based (Philox 4x32-10, Salmon et al. 2011). Two streams with different names are independent; the same names
// give the same numbers on every machine. Cheap to copy; a copy continues from the same place. One thread at a time: threads that
// draw at once have a stream each.
class Random {
 public:
  Random(std::uint64_t seed, std::string_view instance, std::string_view purpose);  // keeps neither text

  std::uint32_t bits();                  // 32 uniform bits
  double uniform();                      // in [0, 1), 53 bits
  double normal();                       // mean 0, variance 1 (Box-Muller in double)
  std::uint64_t below(std::uint64_t n);  // uniform in [0, n), without modulo bias; n > 0
  void normal(std::span<float> out, double sd);
  void shuffle(std::span<int> items);  // Fisher-Yates

 private:
  void refill();
  std::uint64_t key_, stream_, block_ = 0;
  std::uint32_t buffer_[4] = {};
  int used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace khost
