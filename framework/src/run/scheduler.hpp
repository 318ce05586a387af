// Which trial is next, and what becomes of it. An arm's trials come after those it needs, equal trials (twins: arms that turn out
// the same) are run once, what the store has is not run, and a trial's failure is its own and that of those that need it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "run/executor.hpp"
#include "run/listener.hpp"
#include "run/store.hpp"

namespace khost {

struct RunTrials {
  std::vector<TrialResult> trials;  // in plan order; without those that an interruption left undone
  bool interrupted = false;
};

class Scheduler : private Tasks {
 public:
  // `interrupted` is asked often, from any worker. What it is given outlives it.
  Scheduler(const Plan& plan, Store& store, RunListener& listener, std::function<bool()> interrupted);

  // Once. A failed trial is a result with status "failed"; the others go on. Throws what ended all workers before any trial was
  // done.
  RunTrials run(Executor& executor);

 private:
  std::optional<Task> take(int worker) override;
  void step(const Task& task, std::int64_t step, double loss) override;
  void done(const Task& task, TrialResult result, const std::string& remark) override;
  void failed(const Task& task, const Error& why) override;
  void note(const std::string& text) noexcept override;
  void ended(std::exception_ptr why) override;
  bool interrupted() override { return stopped_ || interrupted_(); }

  template <class F>
  auto locked(F&& f);
  template <class F>
  auto guarded(std::size_t index, F&& f);
  std::optional<std::size_t> next();
  bool begin(Task& task);
  void finish(const Task& task, const TrialResult& result);
  void not_run(std::size_t index);
  std::string why() const;
  void give_up();

  const Plan& plan_;
  Store& store_;
  RunListener& listener_;
  const std::function<bool()> interrupted_;
  std::map<std::string, std::vector<std::size_t>> by_hash_;
  std::vector<std::size_t> work_;  // in plan order; taken ones are gone
  std::vector<std::optional<TrialResult>> results_;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::exception_ptr failure_;  // the first that ended a worker
};

}  // namespace khost
