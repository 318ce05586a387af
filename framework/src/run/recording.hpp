// A run's listener that writes its trials to run.db as they begin and end, and hands on what it hears.
#pragma once

#include <mutex>
#include <optional>
#include <set>

#include "run/listener.hpp"
#include "store/run_database.hpp"

namespace khost {

class Recording : public RunListener {
 public:
  // Both outlive it. The first failure of the database is told and kept; then it is left alone until the end, when all is tried
  // once more: trials go on, as they are in the cache.
  Recording(RunListener& listener, RunDatabase& database) : listener_(listener), database_(database) {}
  const std::optional<Error>& failure() const { return failure_; }
  void finish(const Run& run);  // and closes it

  void message(std::string_view text) override { listener_.message(text); }
  void base(const PlannedBase& base, const BaseProgress& progress) override { listener_.base(base, progress); }
  void trials_begin(const Plan& plan, int workers) override { listener_.trials_begin(plan, workers); }
  void trials_end() override { listener_.trials_end(); }
  void started(int worker, const TrialKey& key, std::int64_t steps) override;
  void stepped(int worker, std::int64_t step, double loss) override { listener_.stepped(worker, step, loss); }
  void result(const TrialResult& result) override;
  void finished(int worker, const TrialResult& result) override { listener_.finished(worker, result); }

 private:
  template <class F>
  void write(F&& f);

  RunListener& listener_;
  RunDatabase& database_;
  std::optional<Error> failure_;
  std::set<TrialKey> kept_;  // trials that stand in it
  std::mutex mutex_;
};

}  // namespace khost
