// One experiment, from its plan to its report.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/report.hpp"
#include "session.hpp"

namespace khost {

struct Executed {
  Run run;
  Published published;
  std::vector<std::string> bases;  // how each came out
  std::int64_t failed = 0;         // trials
  double seconds = 0;
  std::vector<Error> unwritten = {};  // files of its folder that could not be written, each told already
  std::vector<Error> lost = {};       // artifacts that could not be copied, likewise
};

// Messages to stderr, with progress while trials run. Writes the run's folder: `out`, or runs/<experiment>/<hash> when it is "".
// Throws an interrupted Error, and a usage Error while another run writes there; failed trials are counted.
Executed execute(Session& session, const std::string& out);

// The table and what belongs below it, to stdout.
void print(const Executed& executed);

// "3 artifacts could not be copied": what a run ends with when it lost some, or some of its reports.
Error lost_files(std::size_t reports, std::size_t artifacts);

}  // namespace khost
