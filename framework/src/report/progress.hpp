// What a person sees while trials run: on a terminal a status line per running trial and one for the whole, rewritten in place;
// in a pipe one plain line per finished trial.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

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

// Every member may be called from any thread. Nothing of it throws because of the output.
class Progress {
 public:
  Progress(int total_trials, int jobs, ProgressOutput output = ProgressOutput::standard_error());
  ~Progress();  // as close()
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Job `job` (from 0) begins a trial of `steps` steps.
  void start(int job, const TrialKey& key, std::int64_t steps);
  // Its step (from 0) has this loss. Cheap: the terminal is rewritten ten times a second at most.
  void step(int job, std::int64_t step, double loss);
  // The trial is over: done, failed, or from the cache (then it may come without start()).
  void finish(int job, const TrialResult& result);
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

  std::mutex mutex_;
  ProgressOutput output_;
  int total_, jobs_;
  int finished_ = 0, reused_ = 0, failed_ = 0;
  double finished_seconds_ = 0;  // of the trials that ran
  std::map<int, Active> active_;
  int lines_ = 0;  // status lines on the screen
  double drawn_ = -1;
};

// While it lives, the log (spdlog's default logger) prints through a Progress, so that a warning does not land inside a status
// line.
class LogThrough {
 public:
  explicit LogThrough(Progress& progress);
  ~LogThrough();
  LogThrough(const LogThrough&) = delete;
  LogThrough& operator=(const LogThrough&) = delete;

 private:
  struct Saved;
  std::unique_ptr<Saved> saved_;
};

}  // namespace khost
