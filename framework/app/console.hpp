// A run as a person at a terminal sees it: what is said goes to stderr, results to stdout.
#pragma once

#include <memory>

#include "report/ending.hpp"
#include "report/progress.hpp"
#include "run/listener.hpp"
#include "run/run.hpp"

namespace khost {

class Console : public RunListener {
 public:
  void message(std::string_view text) override;
  void base(const PlannedBase& base, const BaseProgress& progress) override;
  void trials_begin(int count, int workers) override;
  void trials_end() override;
  void started(int worker, const TrialKey& key, std::int64_t steps) override { progress_->start(worker, key, steps); }
  void stepped(int worker, std::int64_t step, double loss) override { progress_->step(worker, step, loss); }
  void finished(int worker, const TrialResult& result) override { progress_->finish(worker, result); }

 private:
  std::unique_ptr<Progress> progress_;
  std::unique_ptr<LogThrough> log_;
  bool shows_ = false;  // progress: messages go through it
};

// What fits on the terminal that standard output goes to; without rows when it is none.
Screen screen_of_stdout();

// "3 artifacts could not be copied": what a run ends with when it lost some, or some of its reports.
Error lost_files(std::size_t reports, std::size_t artifacts);

}  // namespace khost
