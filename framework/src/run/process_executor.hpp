// Trials in processes of their own: one that crashes, hangs or takes too much memory costs itself.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "run/executor.hpp"
#include "run/wire.hpp"

namespace khost {

class ProcessExecutor : public Executor {
 public:
  // `workers` at a time, each a process that plans the same run from `setup`. `expect`: throws what went wrong with what the
  // trial is made of. A trial that makes no step for `silence` is ended. One whose process ends is tried once more, from its
  // checkpoint, and then failed. `otherwise` does the rest of a worker's work when no process can be made ready for it. All
  // outlive this.
  ProcessExecutor(Setup setup, int workers, std::chrono::seconds silence, std::function<void(const PlannedTrial&)> expect,
                  std::function<void(Tasks&, int worker, const Task& first)> otherwise)
      : setup_(std::move(setup)),
        workers_(workers),
        silence_(silence),
        expect_(std::move(expect)),
        otherwise_(std::move(otherwise)) {}

  void run(Tasks& tasks) override;

 private:
  class Process;
  class Conversation;
  struct Outcome;
  void work(Tasks& tasks, int worker);
  bool run_task(Tasks& tasks, const Task& task, std::unique_ptr<Process>& process);
  Outcome attempt(Tasks& tasks, const Task& task, Assignment& assignment, std::unique_ptr<Process>& process);

  const Setup setup_;
  int workers_;
  std::chrono::seconds silence_;
  std::function<void(const PlannedTrial&)> expect_;
  std::function<void(Tasks&, int, const Task&)> otherwise_;
};

}  // namespace khost
