// Who asks for the end of a process, and what it is at meanwhile. The asking side of khost/interrupt.hpp.
#pragma once

#include <list>
#include <optional>
#include <string>

#include "khost/interrupt.hpp"

namespace khost {

void request_interrupt() noexcept;  // may be called from a signal handler
void clear_interrupt() noexcept;    // for tests

// What the process is at, for as long as it lives: "building tokenizer of 15007 pieces". May be made in any thread.
class Activity {
 public:
  // Work is dropped when the process is to end, with nothing lost; what is `finished` first must not be torn in two: while one
  // such lives, check_interrupt() does not throw.
  enum class Kind { dropped, finished };
  explicit Activity(std::string what, Kind kind = Kind::dropped);
  ~Activity();
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  struct Text {
    std::string what;
    Kind kind;
  };
  // The newest that must be finished, else the newest.
  static std::optional<Text> current();

 private:
  std::list<Text>::iterator at_;
};

}  // namespace khost
