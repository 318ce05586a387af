// One experiment, from its plan to its report: prepare, schedule, collect, judge, write.
//
//   SessionOptions options{.manifest = "my.manifest"};
//   RunListener listener;                       // or one of your own
//   Session session(options, listener);
//   std::set<std::string> computed;
//   const FinishedRun finished = run_experiment(session, "", computed);
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "report/report.hpp"
#include "run/session.hpp"

namespace khost {

struct FinishedRun {
  Run run;
  Published published;
  std::int64_t failed = 0;  // trials
  double seconds = 0;
  std::vector<Error> unwritten = {};  // files of its folder that could not be written, each told already
  std::vector<Error> lost = {};       // artifacts that could not be copied, likewise
};

// Writes the run's folder: `out`, or runs/<experiment>/<hash> when it is "". `computed`: what this process has computed, by the
// trials' hashes; the runs of a series share it, and it grows. Throws an interrupted Error, and a usage Error while another run
// writes there; failed trials are counted.
FinishedRun run_experiment(Session& session, const std::string& out, std::set<std::string>& computed);

}  // namespace khost
