// The options that commands on a manifest share.
#pragma once

#include "command_line.hpp"
#include "run/session.hpp"

namespace khost {

void declare(Command& command, SessionOptions& to);

}  // namespace khost
