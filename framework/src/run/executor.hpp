// Where trials run: an executor brings workers, which take what is to be run from one place until there is no more. It knows
// nothing of order, caches or reports. Workers are threads of this process (thread_executor.hpp); processes, or other machines,
// are other executors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/result.hpp"
#include "khost/error.hpp"
#include "plan/plan.hpp"

namespace khost {

// A trial that is to be run now.
struct Task {
  int worker = 0;
  std::size_t index = 0;                       // in Plan::trials
  const PlannedTrial* trial = nullptr;         // of the plan
  std::string folder = {};                     // for its artifacts
  std::string checkpoint = {};                 // the file for it
  std::vector<const TrialResult*> needs = {};  // the finished trials that it needs; they stay as they are
};

// What an executor works off; any worker may call it at any time. Whatever take(), done() or failed() throw is not of a trial,
// and ends the worker, which hands it to ended(): the task in hand is over then.
class Tasks {
 public:
  virtual ~Tasks() = default;
  // The next one. Waits while all that is left needs what others are at; nothing when all is taken, or the run stops.
  virtual std::optional<Task> take(int worker) = 0;
  virtual void step(const Task& task, std::int64_t step, double loss) = 0;
  // Each task that was taken is ended by one of these: with its result, and what there is to remark on it in this run (why it
  // took a second attempt; "" mostly), or with why there is none.
  virtual void done(const Task& task, TrialResult result, const std::string& remark) = 0;
  virtual void failed(const Task& task, const Error& why) = 0;
  // A sentence for people; throws nothing.
  virtual void note(const std::string& text) noexcept = 0;
  // A worker that has no task in hand ends before its time: it could not be made ready, or take() or done() threw.
  virtual void ended(std::exception_ptr why) = 0;
  // Asked between steps: a trial that is asked to stop fails with an interrupted Error.
  virtual bool interrupted() = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  // Returns when all workers have ended. Throws nothing of a trial.
  virtual void run(Tasks& tasks) = 0;
};

// work(0) on this thread and the others, up to work(workers - 1), each on one of its own.
void side_by_side(int workers, const std::function<void(int worker)>& work);

// The record "ARM/PROBE/RECORD" of what a task needs; NaN when it is missing there. Throws a trial Error when there is none of
// that name.
double record_of_needs(const Task& task, std::string_view path);

}  // namespace khost
