#include "engine/trial_text.hpp"

#include <algorithm>

namespace khost {

TrialText::TrialText(const Data& data, const DataSpec& spec, const std::vector<Part>& reads, std::uint64_t seed)
    : data_(data), spec_(spec), fresh_(seed, "data", "fresh") {
  for (const Part part : reads) check_part(data, spec, part);
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

const WindowSet& TrialText::windows(Part part) {
  return windows_.try_emplace(part, data_, part, spec_.windows(part), spec_.sequence).first->second;
}

}  // namespace khost
