// One experiment, from its plan to its report.
#pragma once

#include <string>
#include <string_view>

#include "report/report.hpp"
#include "session.hpp"

namespace khost {

// Ctrl-C ends what runs between two steps, with everything kept that is finished; a second one ends the process.
void catch_interruptions();
bool interrupted();

struct Executed {
  Run run;
  Published published;
  std::vector<std::string> bases;  // how each came out
  std::int64_t failed = 0;         // trials
  double seconds = 0;
};

// Messages to stderr, with progress while trials run. Writes the run's folder: `out`, or runs/<experiment>/<hash> when it is "".
// Throws an interrupted Error; failed trials are counted.
Executed execute(Session& session, const std::string& out);

// The table and what belongs below it, to stdout.
void print(const Executed& executed);

}  // namespace khost
