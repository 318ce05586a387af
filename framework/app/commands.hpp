// The commands of khost, one file each. add_X adds a subcommand whose callback does the work; it throws a khost Error on
// failure, which main prints and turns into the exit code.
#pragma once

#include <CLI/CLI.hpp>

namespace khost {

void add_run(CLI::App& app);
void add_plan(CLI::App& app);
void add_claims(CLI::App& app);
void add_list(CLI::App& app);
void add_inspect(CLI::App& app);
void add_doctor(CLI::App& app);

}  // namespace khost
