#include "khost/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <utility>
#include <vector>

#include "core/call.hpp"
#include "core/foreign_code.hpp"
#include "khost/openmp.hpp"

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace khost {
namespace {

// libgomp is not instrumented, so ThreadSanitizer sees neither the start nor the end of a parallel region. These two tell it:
// what a thread did before happened_before(p) comes before what another does after happened_after(p).
#if defined(__SANITIZE_THREAD__)
#define KHOST_UNSEEN __attribute__((no_sanitize("thread")))  // reads the region's own variables before it can say so
void happened_before(void* p) { __tsan_release(p); }
void happened_after(void* p) { __tsan_acquire(p); }
#else
#define KHOST_UNSEEN
void happened_before(void*) {}
void happened_after(void*) {}
#endif

thread_local int fixed_ranges = 0;       // 0: as many as there are threads
thread_local bool within_range = false;  // a team of one thread is no parallel region to OpenMP, but its ranges nest all the same

struct Region {
  std::int64_t n, ranges;
  void (*body)(void*, std::int64_t, std::int64_t);
  void* context;
  std::mutex mutex{};            // of what follows
  std::int64_t failed = ranges;  // the lowest range that threw, so that the error does not depend on timing
  std::exception_ptr failure{};
  const Within* within = Within::here();  // where a thread is that works for it
  char start = 0, end_of_all = 0;         // only their addresses matter
};

KHOST_UNSEEN void run_range(void* data) {
  Region& region = *static_cast<Region*>(data);
  happened_after(&region.start);
  const Within* const before = Within::move_to(region.within);
  default_floats();  // whoever made this thread, or ran on it before
  const bool nested = std::exchange(within_range, true);
  // The same ranges with fewer threads than were asked for.
  for (std::int64_t i = omp_get_thread_num(); i < region.ranges; i += omp_get_num_threads()) {
    try {
      region.body(region.context, region.n * i / region.ranges, region.n * (i + 1) / region.ranges);
    } catch (...) {
      const std::lock_guard lock(region.mutex);
      if (i < region.failed) {
        region.failed = i;
        region.failure = std::current_exception();
      }
    }
  }
  within_range = nested;
  Within::move_to(before);
  default_floats();
  happened_before(&region.end_of_all);
}

}  // namespace

FixedRanges::FixedRanges(int ranges) : before_(std::exchange(fixed_ranges, ranges)) {}
FixedRanges::~FixedRanges() { fixed_ranges = before_; }

void parallel_ranges(std::int64_t n, std::int64_t grain, void (*body)(void*, std::int64_t, std::int64_t), void* context) {
  if (n <= 0) return;
  const std::int64_t most = std::max<std::int64_t>(1, n / std::max<std::int64_t>(1, grain));
  const int threads = omp_get_max_threads();
  const std::int64_t ranges =
      omp_in_parallel() || within_range ? 1 : std::min<std::int64_t>(most, fixed_ranges ? fixed_ranges : threads);
  if (ranges == 1) return body(context, 0, n);
  Region region{n, ranges, body, context};
  happened_before(&region.start);
  GOMP_parallel(run_range, &region, static_cast<unsigned>(std::min<std::int64_t>(ranges, threads)), 0);
  happened_after(&region.end_of_all);
  if (region.failure) std::rethrow_exception(region.failure);
}

void run_tasks(std::span<const std::int64_t> costs, void (*body)(void*, std::size_t), void* context) {
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return costs[a] > costs[b]; });
  std::vector<std::exception_ptr> failures(costs.size());
  std::atomic<std::size_t> next = 0;
  parallel_for(static_cast<std::int64_t>(costs.size()), 1, [&](std::int64_t, std::int64_t) {
    for (std::size_t i = next++; i < order.size(); i = next++) {
      try {
        body(context, order[i]);
      } catch (...) {
        failures[order[i]] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace khost
