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
  write([&] { database_.begin(key); });
  listener_.started(worker, key, steps);
}

void Recording::finished(int worker, const TrialResult& result) {
  write([&] { database_.keep(result); });
  listener_.finished(worker, result);
}

void Recording::finish(const Run& run) {
  write([&] {
    database_.finish(run);
    database_.close();
  });
}

}  // namespace khost
