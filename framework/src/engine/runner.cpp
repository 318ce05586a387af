#include "engine/runner.hpp"

#include <omp.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

namespace khost {

namespace {

class Runner {
 public:
  Runner(const TrialContext& context, const BackendChoice& choice, int threads, const RunnerHooks& hooks)
      : context_(context), choice_(choice), threads_(threads), hooks_(hooks), results_(context.plan.trials.size()) {
    for (std::size_t i = 0; i < context.plan.trials.size(); ++i) by_hash_[context.plan.trials[i].hash].push_back(i);
    for (std::size_t i = 0; i < context.plan.trials.size(); ++i)
      if (by_hash_[context.plan.trials[i].hash].front() == i) work_.push_back(i);
  }

  RunnerOutcome run(int jobs) {
    std::vector<std::thread> others;
    for (int job = 1; job < jobs; ++job) others.emplace_back([this, job] { take(job); });
    take(0);
    for (std::thread& t : others) t.join();
    if (failure_) std::rethrow_exception(failure_);
    RunnerOutcome outcome;
    outcome.interrupted = stopped_;
    for (auto& result : results_)
      if (result) outcome.trials.push_back(std::move(*result));
    return outcome;
  }

 private:
  template <class F>
  auto locked(F&& f) {
    const std::lock_guard lock(mutex_);
    return f();
  }

  // Each job takes the next trial that nobody has: which job runs it changes nothing in its result.
  void take(int job) try {
    omp_set_num_threads(threads_);
    const auto backend = choice_.make(threads_);
    while (!stopped_) {
      const std::size_t next = next_++;
      if (next >= work_.size()) return;
      if (hooks_.interrupted()) {
        stopped_ = true;
        return;
      }
      one(job, work_[next], *backend);
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    stopped_ = true;
  }

  void one(int job, std::size_t index, Backend& backend) {
    const PlannedTrial& trial = context_.plan.trials[index];
    if (auto found = locked([&] { return hooks_.find(trial.hash); })) {
      found->reused = true;
      return finish(job, index, std::move(*found));
    }
    locked([&] { hooks_.started(job, trial); });
    const std::string folder = locked([&] { return hooks_.begin(trial.hash); });
    TrialResult result;
    try {
      result = run_trial(context_, trial, backend, folder,
                         {[&](std::int64_t step, double loss) { locked([&] { hooks_.stepped(job, step, loss); }); },
                          [&] { return stopped_ || hooks_.interrupted(); }});
      locked([&] { hooks_.keep(folder, result); });
    } catch (const Error& e) {
      locked([&] { hooks_.discard(folder); });
      if (e.kind() == ErrorKind::interrupted) {
        stopped_ = true;
        return;
      }
      if (e.kind() == ErrorKind::usage) throw;  // the experiment is wrong, not this trial
      result = {};
      result.hash = trial.hash;
      result.status = "failed";
      result.message = e.what();
    } catch (...) {
      locked([&] { hooks_.discard(folder); });
      throw;
    }
    finish(job, index, std::move(result));
  }

  // Arms that are equal share a trial; each gets its own copy under its own name.
  void finish(int job, std::size_t index, TrialResult result) {
    for (const std::size_t twin : by_hash_.at(context_.plan.trials[index].hash)) {
      TrialResult copy = result;
      copy.key = context_.plan.trials[twin].key;
      copy.reused = result.reused || twin != index;
      locked([&] {
        hooks_.finished(job, copy);
        results_[twin] = std::move(copy);
      });
    }
  }

  const TrialContext& context_;
  const BackendChoice& choice_;
  int threads_;
  const RunnerHooks& hooks_;
  std::map<std::string, std::vector<std::size_t>> by_hash_;
  std::vector<std::size_t> work_;
  std::vector<std::optional<TrialResult>> results_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace

RunnerOutcome run_trials(const TrialContext& context, const BackendChoice& backend, int jobs, int threads,
                         const RunnerHooks& hooks) {
  return Runner(context, backend, threads, hooks).run(jobs);
}

}  // namespace khost
