// Trials on threads of this process.
#pragma once

#include "engine/backends.hpp"
#include "engine/trial.hpp"
#include "run/executor.hpp"

namespace khost {

class ThreadExecutor : public Executor {
 public:
  // `workers` at a time, the first on the calling thread, each with a backend of its own on `threads` threads. What it is given
  // outlives it.
  ThreadExecutor(const TrialContext& context, const BackendChoice& backend, int workers, int threads, double checkpoint_period)
      : context_(context), backend_(backend), workers_(workers), threads_(threads), checkpoint_period_(checkpoint_period) {}

  void run(Tasks& tasks) override;

  // One worker, on the calling thread; `first` is in its hand already.
  void work(Tasks& tasks, int worker, std::optional<Task> first = {});

 private:
  const TrialContext& context_;
  const BackendChoice& backend_;
  int workers_, threads_;
  double checkpoint_period_;  // seconds
};

}  // namespace khost
