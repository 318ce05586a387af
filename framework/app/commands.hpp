// The commands of khost, one file each. Their work throws a khost Error on failure, which main prints and turns into the exit
// code.
#pragma once

#include "command_line.hpp"

namespace khost {

// Thrown at the end of a command whose work is done, where scripts are told the outcome by the exit code.
struct Exit {
  int code;
};
inline constexpr int exit_unfit = 3;  // khost check: the plugin is wrong
inline constexpr int exit_not_the_same = 6;

CommandLine khost_line();  // all of them

Command run_command();
Command plan_command();
Command show_command();
Command report_command();
Command compare_command();
Command export_command();
Command claims_command();
Command register_command();
Command list_command();
Command inspect_command();
Command new_command();
Command check_command();
Command doctor_command();
Command clean_command();

}  // namespace khost
