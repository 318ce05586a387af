#include "artifact/lock.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "khost/interrupt.hpp"

namespace khost {

bool FileLock::try_take() {
  if (!held_) held_ = OwnerFile::make(path_, note_);
  return held_ != nullptr;
}

void FileLock::take(const std::function<void(const Holder&)>& waits) {
  Holder said{"nobody", ""};
  int unknown = 0;
  const auto tell = [&] {
    const Holder now = holder_of(path_);
    if (!waits || (!now.known() && ++unknown < 5)) return;  // it may be about to say who it is, or to give it back
    if (now.who == said.who && now.note == said.note) return;
    said = now;
    waits(now.known() ? now : Holder{"another process", ""});
  };
  // Asked again and again: what waits inside the kernel for a lock hears of no interrupt, and not every file system has locks.
  for (auto pause = std::chrono::milliseconds(10);; pause = std::min(2 * pause, std::chrono::milliseconds(200))) {
    check_interrupt();
    if (try_take()) return;
    tell();
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace khost
