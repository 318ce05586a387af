// What trials need, made before the first of them runs.
#pragma once

#include <functional>

#include "engine/trial.hpp"

namespace khost {

// Data, then bases, then cut bases, with `threads` threads; only what trials that are not `kept` need. Throws a usage Error when
// a sequence is longer than the text, and what the data throw when no trial's can be read. Data of some trials alone, or a base
// that cannot be trained, are no error here: those trials fail, the others go on.
void prepare(const TrialContext& context, int threads, const std::function<bool(const PlannedTrial&)>& kept);

}  // namespace khost
