// What noise alone would give for the records of an arm's probes: joint draws, seeded, cached.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "artifact/cache.hpp"
#include "plan/materials.hpp"

namespace khost {

struct NullDraws {
  int count = 0;
  // By the record's full name within its arm, "snr/drift/0": one value a draw, NaN where a draw has none. Draws of records of one
  // probe belong together; those of two probes are independent.
  std::map<std::string, std::vector<float>> records;
};

// Of every probe of the arm that declares a null, at the ranks of its manifest. The number of threads changes nothing. Throws a
// plugin Error when a probe's null() goes wrong.
NullDraws null_draws(const Materials& materials, const Arm& arm, Cache& cache, int count, int threads);

}  // namespace khost
