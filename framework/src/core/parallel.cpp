#include "khost/parallel.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <numeric>
#include <vector>

namespace khost {

void parallel_ranges(std::int64_t n, std::int64_t grain, void (*body)(void*, std::int64_t, std::int64_t), void* context) {
  if (n <= 0) return;
  const std::int64_t most = std::max<std::int64_t>(1, n / std::max<std::int64_t>(1, grain));
  const int workers = omp_in_parallel() ? 1 : static_cast<int>(std::min<std::int64_t>(most, omp_get_max_threads()));
  if (workers == 1) return body(context, 0, n);
  std::exception_ptr failure;
  int failed = workers;  // the lowest range that threw, so that the error does not depend on timing
#pragma omp parallel num_threads(workers)
  {
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
  }
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
