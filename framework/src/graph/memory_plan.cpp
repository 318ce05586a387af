#include "graph/memory_plan.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "khost/tensor.hpp"

namespace khost {

namespace {
constexpr std::int64_t line = 16;  // floats in a cache line
}

int MemoryPlan::add(std::int64_t floats, int first, int last) {
  buffers_.push_back({checked_sum({floats, line - 1}) / line * line, first, last, 0});
  return static_cast<int>(buffers_.size()) - 1;
}

void MemoryPlan::extend(int buffer, int last) { buffers_[buffer].last = std::max(buffers_[buffer].last, last); }

std::int64_t MemoryPlan::most_at_once() const {
  std::vector<std::pair<int, std::int64_t>> changes;  // time, floats that come (or go, just after it)
  for (const Buffer& b : buffers_) changes.insert(changes.end(), {{b.first, b.floats}, {b.last + 1, -b.floats}});
  std::ranges::sort(changes);  // at one time, those that go come first
  std::int64_t alive = 0, most = 0;
  for (const auto& [time, floats] : changes) {
    alive = floats < 0 ? alive + floats : checked_sum({alive, floats});
    most = std::max(most, alive);
  }
  return most;
}

void MemoryPlan::place() {
  std::vector<int> order(buffers_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return buffers_[a].floats > buffers_[b].floats; });
  std::vector<const Buffer*> placed;  // by offset
  floats_ = 0;
  for (const int i : order) {
    Buffer& b = buffers_[i];
    b.offset = 0;
    for (const Buffer* other : placed) {
      if (other->last < b.first || b.last < other->first) continue;
      if (b.offset + b.floats <= other->offset) break;  // fits in the gap below; all further ones lie higher
      b.offset = std::max(b.offset, checked_sum({other->offset, other->floats}));
    }
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &b,
                                   [](const Buffer* x, const Buffer* y) { return x->offset < y->offset; }),
                  &b);
    floats_ = std::max(floats_, checked_sum({b.offset, b.floats}));
  }
}

}  // namespace khost
