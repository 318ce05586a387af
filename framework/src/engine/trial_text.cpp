#include "engine/trial_text.hpp"

#include <algorithm>

namespace khost {

TrialText::TrialText(const Data& data, const DataSpec& spec, std::uint64_t seed)
    : data_(data), spec_(spec), fresh_(seed, "data", "fresh") {
  check_part(data, spec, Part::train);
  if (spec.held_out_windows > 0) check_part(data, spec, Part::held_out);
  Random windows(seed, "data", "windows");
  first_ = current_ = draw(windows);
}

Batch TrialText::draw(Random& windows) const { return draw_batch(data_, Part::train, spec_.batch, spec_.sequence, windows); }

void TrialText::next() {
  if (!spec_.fresh) return;
  const Batch next = draw(fresh_);
  std::ranges::copy(next.tokens, current_.tokens.begin());
  std::ranges::copy(next.targets, current_.targets.begin());
}

const WindowSet& TrialText::held_out() {
  if (!held_out_) held_out_ = std::make_unique<WindowSet>(data_, Part::held_out, spec_.held_out_windows, spec_.sequence);
  return *held_out_;
}

}  // namespace khost
