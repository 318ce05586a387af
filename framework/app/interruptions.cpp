#include "interruptions.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "artifact/temporary.hpp"
#include "core/interrupt.hpp"
#include "core/shown.hpp"

namespace khost {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds patience{300};    // before a word is said
constexpr milliseconds grace{800};       // before what runs is dropped
constexpr milliseconds longest{60'000};  // before a step in hand is, which may hang
constexpr int exit_interrupted = 5;

// Never waits, as whoever reads the other end may: a second signal must find this thread.
void tell(const std::string& text) {
  pollfd error{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&error, 1, 0) != 1 || !(error.revents & POLLOUT)) return;
  const std::string line = (::isatty(STDERR_FILENO) ? "\r\x1b[J" : "") + printable(text) + "\n";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

// Never destroyed: the watching thread may outlive main().
std::string& going_on() {
  static auto& command = *new std::string;
  return command;
}

[[noreturn]] void drop(const std::string& what) {
  tell("khost: interrupted" + (what.empty() ? "" : " while " + what) + "\n  " +
       (going_on().empty() ? "nothing that was finished is lost; the same command goes on from there" : going_on()));
  remove_own_temporaries();
  ::_exit(exit_interrupted);
}

void watch(sigset_t signals) {
  int signal = 0;
  while (::sigwait(&signals, &signal) != 0) {
  }
  request_interrupt();
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // a second one is given to this thread, and ends the process

  const auto asked = std::chrono::steady_clock::now();
  auto busy = asked;  // with what is not dropped, last: what follows has its own while to end
  std::string said;
  for (;;) {
    std::this_thread::sleep_for(milliseconds(20));
    const auto now = std::chrono::steady_clock::now();
    if (now - asked < patience) continue;
    const auto current = Activity::current();
    const bool must_finish = current && current->kind != Activity::Kind::dropped;
    const bool is_step = current && current->kind == Activity::Kind::step;
    const std::string what = current ? current->what : "";
    if (must_finish) busy = now;
    if (now - busy >= grace || (is_step && now - asked >= longest)) drop(what);
    const std::string line = must_finish ? "interrupted: finishing first: " + what + " (again ends it at once)"
                                         : "interrupted: ending" + (what.empty() ? "" : ", while " + what);
    if (line != said) tell(said = line);
  }
}

}  // namespace

void catch_interruptions(const std::string& how) {
  going_on() = how;
  static bool caught = false;
  if (std::exchange(caught, true)) return;
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    if (signal == SIGHUP && ::sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;  // nohup
    sigaddset(&signals, signal);
    ::signal(signal, SIG_DFL);  // a shell starts what runs in its background with SIGINT ignored
  }
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // in this thread and those it starts
  std::thread(watch, signals).detach();
}

}  // namespace khost
