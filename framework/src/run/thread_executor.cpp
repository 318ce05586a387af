#include "run/thread_executor.hpp"

#include <cxxabi.h>

#include "plugin/process_end.hpp"

namespace khost {

namespace {

// Whatever goes wrong in here is this task's failure and no other's. UBSan: see call_plugin().
__attribute__((no_sanitize("null"))) void run_task(const TrialContext& context, Tasks& tasks, const Task& task, Backend& backend,
                                                   double checkpoint_period) {
  TrialResult result;
  try {
    result =
        run_trial(context, *task.trial, [&](std::string_view path) { return record_of_needs(task, path); }, backend, task.folder,
                  {[&](std::int64_t step, double loss) { tasks.step(task, step, loss); }, [&] { return tasks.interrupted(); },
                   task.checkpoint, checkpoint_period});
  } catch (const Error& e) {
    return tasks.failed(task, e);
  } catch (abi::__forced_unwind&) {
    throw;  // of a thread that is cancelled: no exception
  } catch (const std::exception& e) {
    return tasks.failed(task, Error(ErrorKind::trial, e.what()));
  } catch (...) {
    return tasks.failed(task, Error(ErrorKind::trial, "something that is not a std::exception was thrown"));
  }
  tasks.done(task, std::move(result), "");
}

}  // namespace

void ThreadExecutor::run(Tasks& tasks) {
  side_by_side(workers_, [&](int worker) { work(tasks, worker); });
}

// UBSan: see call_plugin().
__attribute__((no_sanitize("null"))) void ThreadExecutor::work(Tasks& tasks, int worker, std::optional<Task> first) {
  std::string at;  // the trial that runs
  try {
    const auto backend = backend_.make(threads_);
    for (auto task = first ? first : tasks.take(worker); task; task = tasks.take(worker)) {
      at = task->trial->key.text();
      run_task(context_, tasks, *task, *backend, checkpoint_period_);
      at.clear();
    }
  } catch (abi::__forced_unwind&) {
    // This thread is being ended and cannot be kept (pthread_cancel() of itself; pthread_exit() does not come this far).
    ProcessWatch::thread_ends(at);
    throw;
  } catch (...) {
    tasks.ended(std::current_exception());
  }
}

}  // namespace khost
