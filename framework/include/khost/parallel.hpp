// Work split over the trial's threads, always the same way for the same size: results do not depend on timing.
#pragma once

#include <cstdint>
#include <type_traits>

namespace khost {

// Calls body(context, begin, end) on disjoint ranges that cover [0, n), each at least `grain` long where n allows;
// returns when all are done. The first exception of a range is rethrown. Nested calls run on the caller's thread.
void parallel_ranges(std::int64_t n, std::int64_t grain, void (*body)(void*, std::int64_t, std::int64_t), void* context);

template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& f) {
  parallel_ranges(
      n, grain, [](void* c, std::int64_t begin, std::int64_t end) { (*static_cast<std::remove_reference_t<F>*>(c))(begin, end); },
      &f);
}

}  // namespace khost
