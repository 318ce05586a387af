// What a plugin shares with everybody in its process, and leaves as it is: floating-point control, locale, signal handlers,
// current folder, umask, environment.
#pragma once

#include <string>
#include <vector>

#include "khost/plugin.hpp"

namespace khost::check {

class ProcessState {
 public:
  explicit ProcessState(Kind kind);  // as it is now, for the calling thread; `kind`: of the plugin that is looked at
  // Throws a Failure where something is another by now; `call` is what came between: "update()".
  void expect_unchanged_by(const std::string& call) const;

 private:
  Kind kind_;
  std::vector<std::string> lines_;  // in words, one line each
};

}  // namespace khost::check
