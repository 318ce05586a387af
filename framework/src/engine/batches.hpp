// Batches of windows, and the loss over many of them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "graph/program.hpp"
#include "khost/data.hpp"
#include "khost/random.hpp"
#include "manifest/experiment.hpp"

namespace khost {

struct Batch {
  std::vector<std::int32_t> tokens, targets;  // [B, T]; a target is the token after
};

// Throws a usage Error when that part of the text, of so many tokens, does not hold one sequence.
void check_length(std::int64_t tokens, const DataSpec& spec, Part part);
// The same, of what the data say.
void check_part(const Data& data, const DataSpec& spec, Part part);

// B windows of T + 1 tokens.
Batch draw_batch(const Data& data, Part part, std::int64_t batch, std::int64_t sequence, Random& random);

// The batch in which `count` windows are evaluated: the largest divisor of it that is at most 8.
std::int64_t window_batch(std::int64_t count);

// A fixed set of windows of one part, the same for every seed and arm, cut into batches of an evaluation program.
class WindowSet {
 public:
  // `count` windows, in batches of window_batch(count).
  WindowSet(const Data& data, Part part, std::int64_t count, std::int64_t sequence);
  std::int64_t batch() const { return batch_; }
  std::int64_t tokens() const;          // of all windows
  double loss(Program& program) const;  // mean over all windows; the program has this set's batch and sequence

 private:
  std::int64_t batch_ = 1;
  std::vector<Batch> batches_;
};

}  // namespace khost
