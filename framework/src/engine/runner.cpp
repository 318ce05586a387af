#include "engine/runner.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "manifest/record_path.hpp"
#include "plugin/process_end.hpp"

namespace khost {

namespace {

// What is done for a trial outside of it: in the cache, whose disk may be full.
template <class F>
auto at(const char* what, const PlannedTrial& trial, F&& f) {
  try {
    return f();
  } catch (Error& e) {
    e.within(trial.key.text() + ", " + what).hint("the same command tries this trial again");
    throw;
  } catch (const std::exception& e) {
    throw Error(ErrorKind::trial, e.what()).within(trial.key.text() + ", " + what);
  }
}

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
    if (failure_ && !stopped_) give_up();
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

  // Each job takes the first trial that nobody has and whose needs are finished: which job runs it changes nothing in its result.
  // What goes wrong outside a trial (its backend cannot be made, the listener fails) ends this job alone: the others go on with
  // the trials that are left.
  __attribute__((no_sanitize("null"))) void take(int job) {  // as call_plugin()
    std::optional<std::size_t> index;
    try {
      const auto backend = choice_.make(threads_);
      while ((index = next())) {
        one(job, *index, *backend);
        const std::lock_guard lock(mutex_);
        ready_.notify_all();
      }
    } catch (const Error& e) {
      const std::lock_guard lock(mutex_);
      if (e.kind() == ErrorKind::interrupted && hooks_.interrupted())  // while a trial of the cache was verified, say
        stopped_ = true;
      else
        ends(index);
      ready_.notify_all();
    } catch (abi::__forced_unwind&) {
      // This thread is being ended and cannot be kept (pthread_cancel() of itself; pthread_exit() does not come this far).
      ProcessWatch::thread_ends(index ? context_.plan.trials[*index].key.text() : "");
      throw;
    } catch (...) {
      const std::lock_guard lock(mutex_);
      ends(index);
      ready_.notify_all();
    }
  }

  // In a handler: the job whose exception that is.
  void ends(const std::optional<std::size_t>& index) {
    if (!failure_) failure_ = std::current_exception();
    if (index) not_run(*index);  // others may wait for it
  }

  // Waits while all that is left needs what other jobs are at. Nothing when all is taken, or the run stops.
  std::optional<std::size_t> next() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (!stopped_ && hooks_.interrupted()) stopped_ = true;
      if (stopped_ || work_.empty()) {
        ready_.notify_all();
        return std::nullopt;
      }
      const auto found = std::ranges::find_if(work_, [&](std::size_t i) {
        return std::ranges::all_of(context_.plan.trials[i].needs, [&](std::size_t n) { return results_[n].has_value(); });
      });
      if (found != work_.end()) {
        const std::size_t index = *found;
        work_.erase(found);
        return index;
      }
      ready_.wait_for(lock, std::chrono::milliseconds(200));  // an interruption wakes nobody
    }
  }

  // A record of what the trial needs.
  double upstream(const PlannedTrial& trial, std::string_view path) {
    const auto wanted = parse_record_path(path);
    const std::lock_guard lock(mutex_);
    for (const std::size_t n : trial.needs) {
      const TrialResult& result = *results_[n];
      if (!wanted || result.key.arm != wanted->arm) continue;
      for (const Record& r : result.records)
        if (r.step < 0 && r.probe == wanted->probe && r.name == wanted->record) return r.value;
    }
    throw Error(ErrorKind::trial, "there is no record '" + std::string(path) + "' among those of the arms it needs");
  }

  void check_needs(const PlannedTrial& trial) {
    const std::lock_guard lock(mutex_);
    for (const std::size_t n : trial.needs)
      if (results_[n]->status != "done")
        throw Error(ErrorKind::trial, trial.key.text() + " needs arm " + results_[n]->key.arm + ", whose trial failed");
  }

  void one(int job, std::size_t index, Backend& backend) {
    const PlannedTrial& trial = context_.plan.trials[index];
    std::string folder;  // "" until there is one
    TrialResult result;
    const auto failed = [&](const char* reason) {
      if (!folder.empty()) locked([&] { hooks_.discard(folder); });
      result = {};
      result.hash = trial.hash;
      result.status = "failed";
      result.message = reason;
    };
    // Whatever goes wrong in here is this trial's failure and no other's, whoever throws it and whatever it is.
    try {
      if (auto found =
              at("looking for it in the cache", trial, [&] { return locked([&] { return hooks_.find(trial.hash); }); })) {
        result = std::move(*found);
        result.reused = true;
      } else {
        at("noting that it started", trial, [&] { locked([&] { hooks_.started(job, trial); }); });
        check_needs(trial);
        folder = at("making its folder", trial, [&] { return locked([&] { return hooks_.begin(trial.hash); }); });
        result = run_trial(context_, trial, [&](std::string_view path) { return upstream(trial, path); }, backend, folder,
                           {[&](std::int64_t step, double loss) { locked([&] { hooks_.stepped(job, step, loss); }); },
                            [&] { return stopped_ || hooks_.interrupted(); }});
        at("keeping its result", trial, [&] { locked([&] { hooks_.keep(folder, result); }); });
      }
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::interrupted && (stopped_ || hooks_.interrupted())) {  // a plugin cannot interrupt the run
        if (!folder.empty()) locked([&] { hooks_.discard(folder); });
        stopped_ = true;
        return;
      }
      failed(e.what());
    } catch (const std::exception& e) {
      failed((trial.key.text() + ": " + e.what()).c_str());
    }
    finish(job, index, result);
  }

  // A trial and its twins are over without a result of their own.
  void not_run(std::size_t index) {
    for (const std::size_t twin : by_hash_.at(context_.plan.trials[index].hash)) {
      if (results_[twin]) continue;
      TrialResult result;
      result.key = context_.plan.trials[twin].key;
      result.hash = context_.plan.trials[twin].hash;
      result.status = "failed";
      result.message = "it was not run to its end: " + why();
      results_[twin] = std::move(result);
    }
  }

  std::string why() const {
    try {
      std::rethrow_exception(failure_);
    } catch (const std::exception& e) {
      return e.what();
    } catch (...) {
      return "something that is not a std::exception was thrown";
    }
  }

  // No job is left. What is finished is reported; without anything there is but the reason.
  void give_up() {
    const auto done = [](const std::optional<TrialResult>& r) { return r && r->status == "done"; };
    if (std::ranges::none_of(results_, done)) std::rethrow_exception(failure_);
    for (std::size_t i = 0; i < results_.size(); ++i)
      if (!results_[i]) not_run(i);
  }

  // Arms that are equal share a trial; each gets its own copy under its own name.
  void finish(int job, std::size_t index, const TrialResult& result) {
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
  std::vector<std::size_t> work_;  // in plan order; taken ones are gone
  std::vector<std::optional<TrialResult>> results_;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::exception_ptr failure_;
};

}  // namespace

RunnerOutcome run_trials(const TrialContext& context, const BackendChoice& backend, int jobs, int threads,
                         const RunnerHooks& hooks) {
  return Runner(context, backend, threads, hooks).run(jobs);
}

}  // namespace khost
