#include "check/process_state.hpp"

#include <fmt/format.h>
#include <unistd.h>
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include <algorithm>
#include <cfenv>
#include <clocale>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "check/test.hpp"

extern char** environ;  // NOLINT: POSIX's

namespace khost::check {

namespace {

namespace fs = std::filesystem;

// umask() tells only by setting another, which a second thread would see.
std::string umask_now() {
  constexpr std::string_view key = "Umask:\t";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return line.substr(key.size());
  return "unknown";
}

// A backend's library may read the environment, which its plugin then has to set.
std::vector<std::string> lines_of(Kind kind) {
  std::vector<std::string> all;
#ifdef __x86_64__
  const unsigned control = _mm_getcsr();
  all.push_back(fmt::format("floating point: denormals are {}", control & 0x8040u ? "flushed to zero" : "kept"));
#endif
  all.push_back(fmt::format("floating point: rounding mode {}", std::fegetround() == FE_TONEAREST ? "to nearest" : "another"));
  all.push_back(fmt::format("locale: {}", std::setlocale(LC_ALL, nullptr)));
  for (const int number : {SIGINT, SIGTERM, SIGSEGV, SIGFPE, SIGABRT, SIGCHLD, SIGPIPE}) {
    struct sigaction now {};
    ::sigaction(number, nullptr, &now);
    all.push_back(fmt::format("handler of {}: {}", ::strsignal(number),
                              now.sa_handler == SIG_DFL   ? "default"
                              : now.sa_handler == SIG_IGN ? "ignored"
                                                          : fmt::format("{}", reinterpret_cast<void*>(now.sa_handler))));
  }
  std::error_code ignored;
  all.push_back("current folder: " + fs::current_path(ignored).string());
  all.push_back("umask: " + umask_now());
  for (char** each = environ; *each && kind != Kind::compute; ++each) all.push_back(std::string("environment: ") + *each);
  return all;
}

// What the host puts back, it puts back after the call: what the call computes or prints, and the plugin's own threads, have it.
std::string mend_of(const std::string& line) {
  std::string mend =
      "all plugins share one process: leave what is not the plugin's own as it is, or put it back before returning";
  if (line.starts_with("floating point: denormals"))
    mend +=
        ". It comes with a library that is linked with -ffast-math; khost undoes it after most calls, never in an operation or "
        "in other threads";
  else if (line.starts_with("floating point:") || line.starts_with("locale:"))
    mend += ". khost undoes it after most calls, never in an operation or in other threads";
  return mend;
}

}  // namespace

ProcessState::ProcessState(Kind kind) : kind_(kind), lines_(lines_of(kind)) {}

void ProcessState::expect_unchanged_by(const std::string& call) const {
  const std::vector<std::string> after = lines_of(kind_);
  const auto changed = [&](const std::string& what, const std::string& line) {
    return Failure(fmt::format("it changes the process in {}: {} {}", call, what, line), mend_of(line));
  };
  for (const std::string& now : after)
    if (std::find(lines_.begin(), lines_.end(), now) == lines_.end()) throw changed("now", now);
  for (const std::string& was : lines_)
    if (std::find(after.begin(), after.end(), was) == after.end()) throw changed("no longer", was);
}

}  // namespace khost::check
