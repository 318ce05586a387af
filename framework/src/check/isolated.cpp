#include "check/isolated.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "core/call.hpp"
#include "khost/error.hpp"

namespace khost::check {

namespace {

void limit(int what, rlim_t value) {
  const rlimit both{value, value};
  ::setrlimit(what, &both);  // one that is lower already stays
}

// Where the plugin was, for whoever reads what the process printed; and then what the signal does anyway. What is called here may
// not be in a signal handler; the process is at its end, and the parent waits no longer than it said.
void tell_place(int signal) {
  const std::string place = Within::text();
  if (!place.empty()) static_cast<void>(!::write(STDERR_FILENO, ("in " + place + "\n").c_str(), place.size() + 4));
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

constexpr int too_late = SIGXCPU;  // from the parent

void watch_signals() {
  static char stack[1 << 16];  // an overflow of the other one is a signal, too
  stack_t alternative{};
  alternative.ss_sp = stack, alternative.ss_size = sizeof stack;
  ::sigaltstack(&alternative, nullptr);
  struct sigaction action {};
  // A shell has those of a job in the background ignored, and whether a plugin does would not be seen.
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_DFL);
  action.sa_handler = &tell_place;
  action.sa_flags = SA_ONSTACK;
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, too_late}) ::sigaction(signal, &action, nullptr);
}

[[noreturn]] void child(const std::function<std::string()>& work, std::size_t bytes, int result, const std::string& printed) {
  ::setpgid(0, 0);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_DATA, bytes);
  if (const int file = ::open(printed.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600); file >= 0) {
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
  }
  watch_signals();
  const std::string text = work();
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(result, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) break;
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  ::_exit(0);  // whatever a plugin has registered for the end of a process is not what was asked for
}

std::string last_lines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::size_t from = text.size(), lines = 0;
  while (from > 0 && lines < 4 && text.size() - from < 1000)
    if (text[--from] == '\n') ++lines;
  return from > 0 ? text.substr(from + 1) : text;
}

}  // namespace

Isolated isolated(const std::function<std::string()>& work, int seconds, std::size_t bytes, const std::string& scratch) {
  using Clock = std::chrono::steady_clock;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Error(ErrorKind::usage, std::string("no pipe can be made: ") + std::strerror(errno));
  const std::string printed = scratch + "/printed";
  const pid_t pid = ::fork();
  if (pid < 0) throw Error(ErrorKind::usage, std::string("no process can be started: ") + std::strerror(errno));
  if (pid == 0) {
    ::close(ends[0]);
    child(work, bytes, ends[1], printed);
  }
  ::close(ends[1]);

  Isolated out;
  const auto deadline = Clock::now() + std::chrono::seconds(seconds);
  bool late = false;
  for (char buffer[4096];;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd one{ends[0], POLLIN, 0};
    const int ready = left > 0 ? ::poll(&one, 1, static_cast<int>(std::min<long long>(left, 1000))) : 0;
    if (left <= 0) {
      late = true;
      break;
    }
    if (ready <= 0) continue;
    const ssize_t n = ::read(ends[0], buffer, sizeof buffer);
    if (n <= 0) break;  // the other end is closed: the process is over, or nearly
    out.result.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  if (late) {
    ::kill(pid, too_late);
    for (int i = 0; i < 20; ++i) {  // so long it may take to say where it is
      siginfo_t ended{};
      if (::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid != 0) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ::kill(-pid, SIGKILL);
  }
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ::kill(-pid, SIGKILL);  // what it has started
  out.printed = last_lines(printed);
  if (late)
    out.ended = fmt::format("did not end within {} s", seconds);
  else if (WIFSIGNALED(status))
    out.ended = fmt::format("was ended by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  else if (WEXITSTATUS(status) != 0 || out.result.empty())
    out.ended = fmt::format("ended its process with exit code {}", WEXITSTATUS(status));
  out.whole = out.ended.empty();
  return out;
}

}  // namespace khost::check
