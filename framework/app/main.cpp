#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "commands.hpp"
#include "khost/error.hpp"

namespace {

int exit_code(khost::ErrorKind kind) {
  switch (kind) {
    case khost::ErrorKind::usage:
      return 2;
    case khost::ErrorKind::plugin:
      return 3;
    case khost::ErrorKind::trial:
      return 4;
    case khost::ErrorKind::interrupted:
      return 5;
  }
  return 1;
}

// The arguments, with `run` put in where the first is a manifest. Throws a usage Error for a word that is neither.
std::vector<std::string> with_command(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (arguments.empty() || arguments[0].starts_with('-')) return arguments;
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  const std::string& first = arguments[0];
  if (std::find(commands.begin(), commands.end(), first) != commands.end()) return arguments;
  std::error_code ignored;
  if (first.ends_with(".manifest") || first.find('/') != std::string::npos || std::filesystem::is_regular_file(first, ignored)) {
    arguments.insert(arguments.begin(), "run");
    return arguments;
  }
  const std::string near = khost::did_you_mean(first, commands);
  throw khost::Error(khost::ErrorKind::usage,
                     "'" + first + "' is neither a command nor a manifest" + (near.empty() ? "" : "; " + near))
      .hint("khost M.manifest runs one; khost --help lists the commands");
}

int run(int argc, char** argv) {
  CLI::App app{"khost: experiments on low-rank adaptation, composed of plugins by a manifest", "khost"};
  app.set_version_flag("--version", "khost " KHOST_VERSION);
  app.require_subcommand(1);
  khost::add_run(app);
  khost::add_plan(app);
  khost::add_claims(app);
  khost::add_list(app);
  khost::add_inspect(app);
  khost::add_doctor(app);
  try {
    std::vector<std::string> arguments = with_command(app, argc, argv);
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    app.parse(arguments);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;  // --help and --version are no errors
  }
  if (!std::cout.flush())
    throw khost::Error(khost::ErrorKind::usage, "the output could not be written").hint("is the disk full?");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const khost::Error& e) {
    std::fprintf(stderr, "khost: %s\n", e.what());
    return exit_code(e.kind());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "khost: %s\n", e.what());
    return 1;
  }
}
