#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <iostream>

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

int run(int argc, char** argv) {
  CLI::App app{"khost: experiments on low-rank adaptation, composed of plugins by a manifest"};
  app.set_version_flag("--version", "khost " KHOST_VERSION);
  app.require_subcommand(1);
  khost::add_list(app);
  khost::add_inspect(app);
  try {
    app.parse(argc, argv);
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
