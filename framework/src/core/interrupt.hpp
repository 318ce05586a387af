// Who asks for the end of a process, and what it is at meanwhile. The asking side of khost/interrupt.hpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "khost/interrupt.hpp"

namespace khost {

void request_interrupt() noexcept;  // may be called from a signal handler
void clear_interrupt() noexcept;    // for tests

// What the process is at, for as long as it lives: "building tokenizer of 15007 pieces". May be made in any thread.
class Activity {
 public:
  // Work is dropped when the process is to end, with nothing lost; what is `finished` first must not be torn in two, nor a `step`
  // of a training, after which its checkpoint is kept: while one such lives, check_interrupt() does not throw.
  enum class Kind { dropped, step, finished };
  // `total`: of how many steps, draws or matrices it is, where that is known.
  explicit Activity(std::string what, Kind kind = Kind::dropped, std::int64_t total = 0);
  ~Activity();
  void advance(std::int64_t steps = 1) noexcept { at_->done.fetch_add(steps, std::memory_order_relaxed); }
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  struct Text {
    std::string what;
    Kind kind;
    std::int64_t done = 0, total = 0;
  };
  // The newest of those that matter most: that must be finished, then a step, then others.
  static std::optional<Text> current();
  // Those that are of so many steps, oldest first.
  static std::vector<Text> counted();

  struct Held {
    Text text;
    std::atomic<std::int64_t> done = 0;
  };

 private:
  std::list<Held>::iterator at_;
};

}  // namespace khost
