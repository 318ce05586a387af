// Ctrl-C and SIGTERM: what may take longer than a second asks now and then whether it should stop. From any thread.
#pragma once

namespace khost {

bool interrupted() noexcept;  // one atomic load
void check_interrupt();       // throws an interrupted Error from then on; within parallel_for too

}  // namespace khost
