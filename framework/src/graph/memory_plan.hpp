// Places buffers of known size and lifetime in one arena, so that those alive at the same time never overlap.
#pragma once

#include <cstdint>
#include <vector>

namespace khost {

class MemoryPlan {
 public:
  // A buffer of `floats` alive from time `first` to time `last`, both included.
  int add(std::int64_t floats, int first, int last);
  void extend(int buffer, int last);  // alive at least until then
  int last(int buffer) const { return buffers_[buffer].last; }
  // `gone`, of the same size, is no buffer any more: what it held lies in `buffer`, which lives as long as either does.
  void join(int buffer, int gone);

  // Floats alive at the fullest time: what place() cannot stay below, and seldom exceeds by much. Quick however many there are.
  std::int64_t most_at_once() const;

  // Largest first, each at the lowest place that is free all its life.
  void place();
  std::int64_t offset(int buffer) const { return buffers_[buffer].offset; }  // in floats, a multiple of a cache line
  std::int64_t floats() const { return floats_; }                            // of the whole arena
  int buffers() const { return static_cast<int>(buffers_.size()); }

 private:
  struct Buffer {
    std::int64_t floats;
    int first, last;
    std::int64_t offset;
  };
  std::vector<Buffer> buffers_;
  std::int64_t floats_ = 0;
};

}  // namespace khost
