// A run as a person at a terminal sees it.
#pragma once

#include <memory>

#include "output.hpp"
#include "report/progress.hpp"

namespace khost {

class Console : public Output {
 public:
  void message(std::string_view text) override;
  void base(const PlannedBase& base, const BaseProgress& progress) override;
  void trials_begin(const Plan& plan, int workers) override;
  void started(int worker, const TrialKey& key, std::int64_t steps) override { progress_->start(worker, key, steps); }
  void stepped(int worker, std::int64_t step, double loss) override { progress_->step(worker, step, loss); }
  void finished(int worker, const TrialResult& result) override { progress_->finish(worker, result); }
  void ended(const FinishedRun& finished, bool alone) override;

 private:
  void close();  // takes the status lines away: before anything else is printed

  std::unique_ptr<Progress> progress_;
  std::unique_ptr<LogThrough> log_;
  bool shows_ = false;  // progress: messages go through it
};

}  // namespace khost
