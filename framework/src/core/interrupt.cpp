#include "core/interrupt.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "khost/error.hpp"

namespace khost {
namespace {

std::atomic<bool> asked = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it, all threads read it");

struct Activities {
  std::mutex mutex;
  std::list<Activity::Held> list;
};
// Never destroyed: a thread may still be at something while the process exits.
Activities& activities() {
  static auto* all = new Activities;
  return *all;
}

}  // namespace

bool interrupted() noexcept { return asked.load(std::memory_order_relaxed); }
void request_interrupt() noexcept { asked = true; }
void clear_interrupt() noexcept { asked = false; }

void check_interrupt() {
  if (!interrupted()) return;
  // What must be finished first is not torn in two by what it calls, as the checksum of a file that it has just written.
  if (const auto now = Activity::current(); now && now->kind != Activity::Kind::dropped) return;
  throw Error(ErrorKind::interrupted, "interrupted");
}

Activity::Activity(std::string what, Kind kind, std::int64_t total) {
  const std::lock_guard lock(activities().mutex);
  at_ = activities().list.emplace(activities().list.end());
  at_->text = {std::move(what), kind, 0, total};
}

Activity::~Activity() {
  const std::lock_guard lock(activities().mutex);
  activities().list.erase(at_);
}

std::optional<Activity::Text> Activity::current() {
  const std::lock_guard lock(activities().mutex);
  std::optional<Text> most;
  for (const Held& h : activities().list)
    if (!most || h.text.kind >= most->kind) most = h.text;
  return most;
}

std::vector<Activity::Text> Activity::counted() {
  const std::lock_guard lock(activities().mutex);
  std::vector<Text> all;
  for (const Held& h : activities().list) {
    if (h.text.total <= 0) continue;
    all.push_back(h.text);
    all.back().done = h.done.load(std::memory_order_relaxed);
  }
  return all;
}

}  // namespace khost
