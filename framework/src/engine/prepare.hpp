// What trials need, made before the first of them runs.
#pragma once

#include <functional>

#include "engine/trial.hpp"

namespace khost {

// Data, then bases, then cut bases, with `threads` threads; only what trials that are not `kept` need. Throws a usage Error when
// a sequence is longer than the text. A base that cannot be trained is no error here: its trials fail, the others go on.
void prepare(const TrialContext& context, int threads, const std::function<bool(const PlannedTrial&)>& kept);

}  // namespace khost
