// A worker process: what it does from its first message to its last.
#pragma once

#include <signal.h>

namespace khost {

// What a terminal or a user sends to the run: the coordinator tells its workers.
inline constexpr int left_to_the_coordinator[] = {SIGINT, SIGTERM, SIGHUP};

// The signal that has it say where it is, and end.
inline constexpr int asks_where = SIGUSR2;

// On the socket that it was started with. Returns when the coordinator is gone, or wants no more. Throws a usage Error when it is
// no socket.
void work_for(int socket);

}  // namespace khost
