// What a probe's declaration must be whatever the manifest: checked when it is described, before anything runs.
#pragma once

#include <string>
#include <string_view>

#include "khost/error.hpp"
#include "khost/signal.hpp"

namespace khost {

// Names and units of emits are checked as they are declared (Signals::emit). `owner` begins the message: "probe 'snr'"; `place`
// is where the manifest asks for it. Throws a plugin Error for a signal that nothing provides, a basis without a rank, a null of
// no record, or what only a policy may declare.
void check_signals(const Signals& signals, std::string_view owner, bool policy, const Place& place = {});

}  // namespace khost
