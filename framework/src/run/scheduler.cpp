#include "run/scheduler.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <chrono>

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

}  // namespace

Scheduler::Scheduler(const Plan& plan, Store& store, RunListener& listener, std::function<bool()> interrupted)
    : plan_(plan), store_(store), listener_(listener), interrupted_(std::move(interrupted)), results_(plan.trials.size()) {
  for (std::size_t i = 0; i < plan.trials.size(); ++i) by_hash_[plan.trials[i].hash].push_back(i);
  for (std::size_t i = 0; i < plan.trials.size(); ++i)
    if (by_hash_[plan.trials[i].hash].front() == i) work_.push_back(i);
}

RunTrials Scheduler::run(Executor& executor) {
  executor.run(*this);
  if (failure_ && !stopped_) give_up();
  RunTrials out;
  out.interrupted = stopped_;
  for (auto& result : results_)
    if (result) out.trials.push_back(std::move(*result));
  return out;
}

template <class F>
auto Scheduler::locked(F&& f) {
  const std::lock_guard lock(mutex_);
  return f();
}

// What goes wrong here is no trial's own failure (the listener throws, say): nobody must wait for the trial in hand.
template <class F>
auto Scheduler::guarded(std::size_t index, F&& f) {
  try {
    return f();
  } catch (abi::__forced_unwind&) {
    throw;  // of a thread that is cancelled: no exception
  } catch (...) {
    ended(std::current_exception());
    locked([&] {
      if (!stopped_) not_run(index);
    });
    ready_.notify_all();
    throw;
  }
}

// Each worker takes the first trial that nobody has and whose needs are finished: which worker runs it changes nothing in its
// result.
std::optional<Task> Scheduler::take(int worker) {
  while (const auto index = next()) {
    Task task{worker, *index, &plan_.trials[*index]};
    if (guarded(*index, [&] { return begin(task); })) return task;
  }
  return std::nullopt;
}

// Waits while all that is left needs what other workers are at. Nothing when all is taken, or the run stops.
std::optional<std::size_t> Scheduler::next() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!stopped_ && interrupted_()) stopped_ = true;
    if (stopped_ || work_.empty()) {
      ready_.notify_all();
      return std::nullopt;
    }
    const auto found = std::ranges::find_if(work_, [&](std::size_t i) {
      return std::ranges::all_of(plan_.trials[i].needs, [&](std::size_t n) { return results_[n].has_value(); });
    });
    if (found != work_.end()) {
      const std::size_t index = *found;
      work_.erase(found);
      return index;
    }
    ready_.wait_for(lock, std::chrono::milliseconds(200));  // an interruption wakes nobody
  }
}

// False: it is over already.
bool Scheduler::begin(Task& task) {
  const PlannedTrial& trial = *task.trial;
  try {
    if (auto found = at("looking for it in the cache", trial, [&] { return locked([&] { return store_.find(trial); }); })) {
      found->reused = true;
      finish(task, *found);
      return false;
    }
    locked([&] {
      for (const std::size_t n : trial.needs) task.needs.push_back(&*results_[n]);
    });
    for (const TrialResult* need : task.needs)
      if (need->status != "done")
        throw Error(ErrorKind::trial, trial.key.text() + " needs arm " + need->key.arm + ", whose trial failed");
    task.folder = at("noting that it started and making its folder", trial, [&] {
      return locked([&] {
        listener_.started(task.worker, trial.key, trial.cost.steps);
        return store_.begin(trial);
      });
    });
    task.checkpoint = store_.checkpoint(trial);
    return true;
  } catch (const Error& e) {
    failed(task, e);
    return false;
  }
}

void Scheduler::step(const Task& task, std::int64_t step, double loss) {
  locked([&] { listener_.stepped(task.worker, step, loss); });
}

void Scheduler::done(const Task& task, TrialResult result, const std::string& remark) {
  guarded(task.index, [&] {
    try {
      at("keeping its result", *task.trial, [&] { locked([&] { store_.keep(task.folder, result); }); });
    } catch (const Error& e) {
      return failed(task, e);
    }
    result.message = remark;  // of this run alone
    finish(task, result);
  });
}

void Scheduler::failed(const Task& task, const Error& why) {
  guarded(task.index, [&] {
    if (!task.folder.empty()) locked([&] { store_.discard(task.folder); });
    if (why.kind() == ErrorKind::interrupted && interrupted()) {  // a plugin cannot interrupt the run
      stopped_ = true;
      ready_.notify_all();
      return;
    }
    TrialResult result;
    result.hash = task.trial->hash;
    result.status = "failed";
    result.message = why.what();
    finish(task, result);
  });
}

void Scheduler::note(const std::string& text) noexcept {
  try {
    listener_.message(text);
  } catch (...) {  // it is of no trial, and no worker's fault
  }
}

void Scheduler::ended(std::exception_ptr why) {
  bool asked = false;
  try {
    std::rethrow_exception(why);
  } catch (const Error& e) {
    asked = e.kind() == ErrorKind::interrupted && interrupted();
  } catch (...) {
  }
  locked([&] {
    if (asked)
      stopped_ = true;
    else if (!failure_)
      failure_ = why;
  });
  ready_.notify_all();
}

// Arms that are equal share a trial; each gets its own copy under its own name.
void Scheduler::finish(const Task& task, const TrialResult& result) {
  for (const std::size_t twin : by_hash_.at(task.trial->hash)) {
    TrialResult copy = result;
    copy.key = plan_.trials[twin].key;
    copy.reused = result.reused || twin != task.index;
    listener_.result(copy);
    locked([&] {
      listener_.finished(task.worker, copy);
      results_[twin] = std::move(copy);
    });
  }
  ready_.notify_all();
}

// A trial and its twins are over without a result of their own. Called under the lock.
void Scheduler::not_run(std::size_t index) {
  for (const std::size_t twin : by_hash_.at(plan_.trials[index].hash)) {
    if (results_[twin]) continue;
    TrialResult result;
    result.key = plan_.trials[twin].key;
    result.hash = plan_.trials[twin].hash;
    result.status = "failed";
    result.message = "it was not run to its end: " + why();
    results_[twin] = std::move(result);
  }
}

std::string Scheduler::why() const {
  try {
    if (failure_) std::rethrow_exception(failure_);
    return "the run was interrupted";
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is not a std::exception was thrown";
  }
}

// No worker is left. What is finished is reported; without anything there is but the reason.
void Scheduler::give_up() {
  const auto done = [](const std::optional<TrialResult>& r) { return r && r->status == "done"; };
  if (std::ranges::none_of(results_, done)) std::rethrow_exception(failure_);
  for (std::size_t i = 0; i < results_.size(); ++i)
    if (!results_[i]) not_run(i);
}

}  // namespace khost
