#include "khost/parallel.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <numeric>
#include <vector>

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

}  // namespace

KHOST_UNSEEN void parallel_ranges(std::int64_t n, std::int64_t grain, void (*body)(void*, std::int64_t, std::int64_t),
                                  void* context) {
  if (n <= 0) return;
  const std::int64_t most = std::max<std::int64_t>(1, n / std::max<std::int64_t>(1, grain));
  const int workers = omp_in_parallel() ? 1 : static_cast<int>(std::min<std::int64_t>(most, omp_get_max_threads()));
  if (workers == 1) return body(context, 0, n);
  std::exception_ptr failure;
  int failed = workers;            // the lowest range that threw, so that the error does not depend on timing
  char start = 0, end_of_all = 0;  // only their addresses matter
  happened_before(&start);
#pragma omp parallel num_threads(workers)
  {
    happened_after(&start);
    const int i = omp_get_thread_num();
    const std::int64_t begin = n * i / workers, end = n * (i + 1) / workers;
    try {
      body(context, begin, end);
    } catch (...) {
#pragma omp critical(khost_parallel_ranges)
      if (i < failed) {
        failed = i;
        failure = std::current_exception();
      }
    }
    happened_before(&end_of_all);
  }
  happened_after(&end_of_all);
  if (failure) std::rethrow_exception(failure);
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
