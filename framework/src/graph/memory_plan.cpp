#include "graph/memory_plan.hpp"

#include <algorithm>
#include <iterator>
#include <map>
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

void MemoryPlan::join(int buffer, int gone) {
  Buffer &kept = buffers_[buffer], &other = buffers_[gone];
  kept.first = std::min(kept.first, other.first), kept.last = std::max(kept.last, other.last);
  other.floats = 0;
}

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

namespace {

// Floats of the arena that are taken, as ranges that neither meet nor touch.
class Taken {
 public:
  void add(std::int64_t begin, std::int64_t end) {
    auto next = ranges_.upper_bound(begin);
    if (next != ranges_.begin() && std::prev(next)->second >= begin) {
      --next;
      begin = next->first, end = std::max(end, next->second);
      next = ranges_.erase(next);
    }
    while (next != ranges_.end() && next->first <= end) {
      end = std::max(end, next->second);
      next = ranges_.erase(next);
    }
    ranges_.emplace_hint(next, begin, end);
  }
  // The lowest offset from `offset` on at which `floats` are free.
  std::int64_t free_from(std::int64_t offset, std::int64_t floats) const {
    auto next = ranges_.upper_bound(offset);
    if (next != ranges_.begin()) offset = std::max(offset, std::prev(next)->second);
    for (; next != ranges_.end() && next->first - offset < floats; ++next) offset = next->second;
    return offset;
  }

 private:
  std::map<std::int64_t, std::int64_t> ranges_;  // begin, end
};

// What is taken at which times. Time is halved again and again; a buffer is kept at the fewest spans that make up its life. Which
// others are alive with it is then known from a few spans and the whole ones around them, and of these not buffers are looked
// through but ranges, which are few: buffers of one size lie side by side.
class Occupancy {
 public:
  explicit Occupancy(int times) : times_(times), spans_(4 * static_cast<std::size_t>(times)) {}
  void take(int first, int last, std::int64_t begin, std::int64_t end) { take(1, 0, times_ - 1, first, last, begin, end); }
  std::int64_t lowest(int first, int last, std::int64_t floats) const {
    std::vector<const Taken*> met;
    gather(1, 0, times_ - 1, first, last, met);
    std::int64_t offset = 0;
    for (std::size_t agree = 0, i = 0; agree < met.size(); i = (i + 1) % met.size()) {
      const std::int64_t moved = met[i]->free_from(offset, floats);
      agree = moved == offset ? agree + 1 : 1;
      offset = moved;
    }
    return offset;
  }

 private:
  struct Span {
    Taken whole, any;  // by buffers that are alive through all of it; by those that are alive within
  };
  void take(std::size_t at, int from, int to, int first, int last, std::int64_t begin, std::int64_t end) {
    if (last < from || to < first) return;
    spans_[at].any.add(begin, end);
    if (first <= from && to <= last) return spans_[at].whole.add(begin, end);
    const int middle = from + (to - from) / 2;
    take(2 * at, from, middle, first, last, begin, end);
    take(2 * at + 1, middle + 1, to, first, last, begin, end);
  }
  void gather(std::size_t at, int from, int to, int first, int last, std::vector<const Taken*>& met) const {
    if (last < from || to < first) return;
    if (first <= from && to <= last) return met.push_back(&spans_[at].any);
    met.push_back(&spans_[at].whole);
    const int middle = from + (to - from) / 2;
    gather(2 * at, from, middle, first, last, met);
    gather(2 * at + 1, middle + 1, to, first, last, met);
  }

  int times_;
  std::vector<Span> spans_;
};

}  // namespace

void MemoryPlan::place() {
  std::vector<int> order(buffers_.size()), times;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return buffers_[a].floats > buffers_[b].floats; });
  for (const Buffer& b : buffers_) times.insert(times.end(), {b.first, b.last});
  std::ranges::sort(times);
  times.erase(std::unique(times.begin(), times.end()), times.end());  // clang++ 14 has no ranges::unique
  const auto index = [&](int time) { return static_cast<int>(std::ranges::lower_bound(times, time) - times.begin()); };
  Occupancy occupied(static_cast<int>(times.size()));
  floats_ = 0;
  for (const int i : order) {
    Buffer& b = buffers_[i];
    b.offset = 0;
    if (b.floats == 0) continue;
    const int first = index(b.first), last = index(b.last);
    b.offset = occupied.lowest(first, last, b.floats);
    const std::int64_t end = checked_sum({b.offset, b.floats});
    occupied.take(first, last, b.offset, end);
    floats_ = std::max(floats_, end);
  }
}

}  // namespace khost
