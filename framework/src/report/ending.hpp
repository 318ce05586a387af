// What a run ends with on a terminal: on one screen its verdicts, the published figures beside khost's, and where the rest is.
#pragma once

#include <cstddef>
#include <string>

#include "report/report.hpp"

namespace khost {

struct Screen {
  std::size_t columns = 100;
  std::size_t rows = 0;  // 0: no screen (a pipe), everything is printed
  bool whole = true;     // were all of the run's files written? Else none is pointed to
};

// At least 23 rows are taken to be there.
std::string ending(const Run& run, const Published& published, Screen screen);

// How the claims of a run came out, each on each base: "3 confirmed, 1 falsified, 14 inconclusive"; "" without claims.
std::string verdict_counts(const Json& claims);

}  // namespace khost
