// What a person sees while a run goes on: on a terminal a status line per running trial, one for what else is made (a base, a
// basis, a null) and one for the whole, rewritten in place; in a pipe one plain line per finished trial, and one now and then for
// what takes long.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "core/interrupt.hpp"
#include "engine/result.hpp"

namespace khost {

// Where progress is written. Tests bring their own.
struct ProgressOutput {
  struct Size {
    int columns = 80, rows = 24;
  };
  std::function<void(std::string_view)> write;
  bool is_terminal = false;
  std::function<Size()> size = [] { return Size(); };
  std::function<double()> now;  // seconds, from any origin

  static ProgressOutput standard_error();
};

// Trials that take the same time, about: those of an arm on a base, which may have it in a form of its own.
std::string same_work(const TrialKey& key);

// Every member may be called from any thread. Nothing of it throws because of the output.
class Progress {
 public:
  // The trials to come, by arm: how many, and what one costs (in whatever unit, as long as it is the same for all).
  struct Arm {
    int trials = 0;
    double cost = 0;
  };
  Progress(std::map<std::string, Arm> arms, int jobs, ProgressOutput output = ProgressOutput::standard_error());
  ~Progress();  // as close()
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Job `job` (from 0) begins a trial of `steps` steps.
  void start(int job, const TrialKey& key, std::int64_t steps);
  // Its step (from 0) has this loss. Cheap: the terminal is rewritten ten times a second at most.
  void step(int job, std::int64_t step, double loss);
  // The trial is over: done, failed, or from the cache (then it may come without start()).
  void finish(int job, const TrialResult& result);
  // Words that stand behind the count of an Activity of that name: "loss 6.7534".
  void detail(const std::string& activity, std::string words);
  // Looks at what the process is at (Activity::counted()). Call it a few times a second, or have it called until close().
  void look();
  void look_by_itself();
  bool is_terminal() const { return output_.is_terminal; }
  // A line, or several, of its own that stays.
  void message(std::string_view text);
  // Removes the status lines; what comes after prints as in a pipe.
  void close();

 private:
  struct Active {
    TrialKey key;
    std::int64_t done = 0, steps = 0;
    double loss = 0, started = 0;
  };
  void print(const std::string& text);
  void redraw();
  std::string erased() const;
  std::string status(const Active& trial) const;
  std::string overall() const;
  double seconds_left() const;  // NaN: nothing is known yet

  // Of the trials of an arm that ran.
  struct Taken {
    double seconds = 0, trials = 0;
  };
  struct Counted {
    std::int64_t done = 0, from = 0;  // when it was seen first
    double since = 0;
  };
  std::string bar(double left) const;
  std::string counted(const Activity::Text& activity);

  std::mutex mutex_;
  ProgressOutput output_;
  std::map<std::string, Arm> arms_;  // trials that are left, running ones among them
  int total_ = 0, jobs_;
  int finished_ = 0, reused_ = 0, failed_ = 0;
  std::map<std::string, Taken> taken_;  // by arm
  double begun_;
  std::map<int, Active> active_;
  std::map<std::string, Counted> seen_;         // by activity
  std::map<std::string, std::string> details_;  // likewise
  std::thread looks_;
  std::condition_variable closed_;
  bool is_closed_ = false;
  double said_ = 0;  // in a pipe
  int lines_ = 0;    // status lines on the screen
  double drawn_ = -1;
};

// While it lives, a line of the log (spdlog's default logger) is given to `to`, as "warning: ...", from any thread: to a
// Progress, so that it does not land inside a status line.
class LogThrough {
 public:
  explicit LogThrough(std::function<void(std::string_view)> to);
  ~LogThrough();
  LogThrough(const LogThrough&) = delete;
  LogThrough& operator=(const LogThrough&) = delete;

 private:
  struct Saved;
  std::unique_ptr<Saved> saved_;
};

}  // namespace khost
