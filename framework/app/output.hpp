// What a run tells whoever started it: a person, nobody, or a script.
#pragma once

#include <memory>
#include <string>

#include "report/ending.hpp"
#include "run/listener.hpp"
#include "run/run.hpp"

namespace khost {

// Its own ends go to standard output, for people.
class Output : public RunListener {
 public:
  // Of an experiment, alone or as one of a series.
  virtual void ended(const FinishedRun& finished, bool alone);
  // What is said at the end of a series.
  virtual void series_ended(const std::string& text);
};

enum class Telling {
  normal,  // progress and messages to stderr, results to stdout
  quiet,   // warnings to stderr, results to stdout
  json     // events to stdout, a JSON object a line
};
std::unique_ptr<Output> make_output(Telling telling);

// What fits on the terminal that standard output goes to; without rows when it is none.
Screen screen_of_stdout();

// "3 artifacts could not be copied": what a run ends with when it lost some, or some of its reports.
Error lost_files(std::size_t reports, std::size_t artifacts);

}  // namespace khost
