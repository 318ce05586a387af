// Ctrl-C, SIGTERM and SIGHUP.
#pragma once

#include <string>

namespace khost {

// From now on a first signal asks all that runs to stop (khost/interrupt.hpp): a training ends after the step in hand, with a
// checkpoint, and with everything kept that is finished. What has not ended within a second, because it cannot ask (a tokenizer
// in training, a library), is dropped, and so is a step that takes a minute; that loses nothing: whatever is kept is renamed into
// place when it is whole. What must be finished first says so. Exit code 5. A second signal ends the process at once. A closed
// terminal is such a signal (unless it is ignored, as by nohup); a closed pipe is none.
//
// `how`: the sentence that says what goes on with it.
// Call it before there are threads: they must not be the ones that a signal is given to.
void catch_interruptions(const std::string& how = "");

}  // namespace khost
