#include "engine/batches.hpp"

#include <algorithm>

#include "khost/tensor.hpp"

namespace khost {

namespace {

Batch split(const std::vector<std::int32_t>& windows, std::int64_t batch, std::int64_t sequence) {
  Batch out;
  for (std::int64_t b = 0; b < batch; ++b) {
    const auto first = windows.begin() + b * (sequence + 1);
    out.tokens.insert(out.tokens.end(), first, first + sequence);
    out.targets.insert(out.targets.end(), first + 1, first + sequence + 1);
  }
  return out;
}

}  // namespace

void check_length(std::int64_t tokens, const DataSpec& spec, Part part) {
  if (tokens > spec.sequence) return;
  throw Error(ErrorKind::usage, spec.source.place,
              "a sequence of " + std::to_string(spec.sequence) + " tokens is longer than the " + name_of(part) +
                  " part of the text, which has " + std::to_string(tokens))
      .hint("choose a sequence of at most " + std::to_string(std::max<std::int64_t>(0, tokens - 1)) + ", or a longer text");
}

void check_part(const Data& data, const DataSpec& spec, Part part) { check_length(data.tokens(part), spec, part); }

Batch draw_batch(const Data& data, Part part, std::int64_t batch, std::int64_t sequence, Random& random) {
  std::vector<std::int32_t> windows(static_cast<std::size_t>(checked_product({batch, checked_sum({sequence, 1})})));
  data.windows(part, batch, sequence + 1, random, windows);
  return split(windows, batch, sequence);
}

std::int64_t window_batch(std::int64_t count) {
  std::int64_t batch = 1;
  for (std::int64_t b = 1; b <= std::min<std::int64_t>(count, 8); ++b)
    if (count % b == 0) batch = b;
  return batch;
}

WindowSet::WindowSet(const Data& data, Part part, std::int64_t count, std::int64_t sequence) : batch_(window_batch(count)) {
  Random random(0, "data", name_of(part));
  for (std::int64_t done = 0; done < count; done += batch_) batches_.push_back(draw_batch(data, part, batch_, sequence, random));
}

std::int64_t WindowSet::tokens() const {
  return batches_.empty() ? 0 : static_cast<std::int64_t>(batches_.size() * batches_.front().tokens.size());
}

double WindowSet::loss(Program& program) const {
  double sum = 0;
  for (const Batch& b : batches_) sum += program.forward(b.tokens, b.targets, Program::Gradients::none);
  return sum / static_cast<double>(batches_.size());
}

}  // namespace khost
