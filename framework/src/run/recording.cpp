#include "run/recording.hpp"

namespace khost {

template <class F>
void Recording::write(F&& f) {
  if (failure_) return;
  try {
    f();
  } catch (const Error& e) {
    failure_ = e;
    listener_.message(std::string("warning: ") + e.what());
  }
}

void Recording::started(int worker, const TrialKey& key, std::int64_t steps) {
  const std::lock_guard lock(mutex_);
  write([&] { database_.begin(key); });
  listener_.started(worker, key, steps);
}

void Recording::result(const TrialResult& result) {
  {
    const std::lock_guard lock(mutex_);
    write([&] {
      database_.keep(result);
      kept_.insert(result.key);
    });
  }
  listener_.result(result);
}

void Recording::finish(const Run& run) {
  failure_.reset();  // it may have been for a while
  write([&] {
    // What could not be written when it came, and trials that were never run, as no worker was left.
    for (const TrialResult& trial : run.trials)
      if (!kept_.contains(trial.key)) database_.keep(trial);
    database_.finish(run);
    if (!database_.close())
      listener_.message(
          "note: somebody reads run.db just now: until the next khost run, what stands in run.db-wal belongs to it");
  });
}

}  // namespace khost
