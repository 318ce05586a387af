// What a shell is told that completes a line of khost's. The scripts are share/completion/khost.bash and _khost.
#pragma once

#include <string>
#include <vector>

#include "command_line.hpp"

namespace khost {

// Of two forms. A shell that knows words: "--" and the words behind the program's name, up to the one under the cursor; a line of
// the answer is a candidate, a tab, what it is. Bash: "bash" ("bash-list", when it shows a list), the characters that it breaks
// words at, and its line up to the cursor; a line of the answer is what it puts there (lists). Never throws: a shell has no use
// for an error.
std::string answer_to_shell(const CommandLine& line, const std::vector<std::string>& words) noexcept;

}  // namespace khost
