// Ctrl-C and SIGTERM.
#pragma once

namespace khost {

// From now on a first signal asks all that runs to stop (khost/interrupt.hpp): it ends between two steps, with everything kept
// that is finished. What has not ended within a second, because it cannot ask (a tokenizer in training, a plugin, a library), is
// dropped, which loses nothing: whatever is kept is renamed into place when it is whole. What must be finished first says so.
// Exit code 5. A second signal ends the process at once.
//
// Call it before there are threads: they must not be the ones that a signal is given to.
void catch_interruptions();

}  // namespace khost
