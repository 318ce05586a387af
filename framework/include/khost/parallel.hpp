// Work split over the trial's threads, always the same way for the same size: results do not depend on timing. From any thread;
// `body` runs on several threads at once, and is done with its context when the call returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace khost {

// Calls body(context, begin, end) on disjoint ranges that cover [0, n), each at least `grain` long where n allows;
// returns when all are done. The first exception of a range is rethrown. Nested calls run on the caller's thread.
void parallel_ranges(std::int64_t n, std::int64_t grain, void (*body)(void*, std::int64_t, std::int64_t), void* context);

// While it lives, on the thread that made it and ends it: what this thread splits by parallel_ranges is cut into `ranges` ranges
// (fewer where `grain` says so) and not by the number of threads: results that depend on where the cuts are, are then the same on
// one processor and on many. With fewer threads than ranges each takes several. Nested calls are one range, as ever.
class FixedRanges {
 public:
  explicit FixedRanges(int ranges);
  ~FixedRanges();
  FixedRanges(const FixedRanges&) = delete;
  FixedRanges& operator=(const FixedRanges&) = delete;

 private:
  int before_;
};

template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& f) {
  parallel_ranges(
      n, grain, [](void* c, std::int64_t begin, std::int64_t end) { (*static_cast<std::remove_reference_t<F>*>(c))(begin, end); },
      &f);
}

// Calls body(context, i) once for each i < costs.size(), the dearest first, each on whichever thread is free: for tasks of
// unequal size whose results do not depend on each other. All are run; then the exception of the lowest i that threw is rethrown.
void run_tasks(std::span<const std::int64_t> costs, void (*body)(void*, std::size_t), void* context);

template <class F>
void parallel_tasks(std::span<const std::int64_t> costs, F&& f) {
  run_tasks(
      costs, [](void* c, std::size_t i) { (*static_cast<std::remove_reference_t<F>*>(c))(i); }, &f);
}

}  // namespace khost
