#include <poll.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

#include "commands.hpp"
#include "compute/process.hpp"
#include "core/shown.hpp"
#include "descriptors.hpp"
#include "khost/error.hpp"
#include "plugin/process_end.hpp"
#include "report/terminal.hpp"
#include "run/worker.hpp"

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

// `khost show RUN | head`: who reads has seen enough.
bool reader_is_gone() {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

int run(int argc, char** argv) {
  int code = 0;
  try {
    khost::khost_line().run({argv + std::min(argc, 1), argv + argc});
  } catch (const khost::Exit& e) {
    code = e.code;
  }
  if (!std::cout.flush() && !reader_is_gone())
    throw khost::Error(khost::ErrorKind::usage, "the output could not be written")
        .hint("is standard output closed, or the disk full? A run's results are in its folder");
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  khost::open_standard_descriptors();
  khost::settle_openmp(argv);
  std::signal(SIGPIPE, SIG_IGN);  // who reads what is printed is gone: what is computed is not
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of writing it
  const khost::ProcessWatch watch;
  const khost::PrintableStreams printable;
  spdlog::set_default_logger(spdlog::stderr_logger_mt("khost"));
  spdlog::set_pattern("khost: %l: %v");
  try {
    if (argc == 3 && std::string_view(argv[1]) == "--worker") {  // a process of another khost (run/process_executor.hpp)
      khost::work_for(std::atoi(argv[2]));
      return 0;
    }
    return run(argc, argv);
  } catch (const khost::Error& e) {
    std::fprintf(stderr, "khost: %s\n", e.what());
    return exit_code(e.kind());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "khost: %s\n", khost::printable(khost::shortened(e.what(), 4000)).c_str());
    return 1;
  }
}
