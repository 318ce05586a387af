// Several experiments in one go.
#pragma once

#include <string>

#include "manifest/series.hpp"
#include "output.hpp"
#include "run/session.hpp"

namespace khost {

// Every manifest is read and planned before the first runs: a mistake in the last costs nothing. Trials that experiments share
// are computed once, as every finished trial is kept. A failed trial does not stop the others; it is told at the end. Each
// experiment gets its own folder, below `out` when that is given. `listener` hears of the runs, and may hand on to `output`.
void run_series(const Series& series, SessionOptions options, const std::string& out, Output& output, RunListener& listener);

}  // namespace khost
