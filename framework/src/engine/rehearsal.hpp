// A run rehearsed before anything of it runs: what a plugin will refuse, it is asked to refuse now.
#pragma once

#include "plan/plan.hpp"

namespace khost {

// Makes every base's and arm's optimizer and every arm's probes on throw-away instances, with the shapes that were planned: their
// constructors, resolve(), begin() and, where it is cheap, one draw of null(). Ranks that only an upstream arm's records decide
// are not known yet; then a probe is refused only if it refuses both the manifest's ranks and the largest there can be. Also
// checked: what a base trains, its target and its file. Throws the first refusal, at its place in the manifest.
void rehearse(const Experiment& experiment, const Materials& materials, const Plan& plan);

}  // namespace khost
