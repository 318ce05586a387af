#include "run/worker.hpp"

#include <cxxabi.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>

#include "artifact/temporary.hpp"
#include "core/call.hpp"
#include "core/interrupt.hpp"
#include "engine/trial.hpp"
#include "plugin/process_end.hpp"
#include "report/progress.hpp"
#include "run/executor.hpp"
#include "run/wire.hpp"

namespace khost {
namespace {

// What is said to people is the coordinator's to show.
class Noting : public RunListener {
 public:
  explicit Noting(std::function<void(std::string_view)> note) : note_(std::move(note)) {}
  void message(std::string_view text) override { note_(text); }

 private:
  std::function<void(std::string_view)> note_;
};

// All that trials of one run share.
struct Bench {
  Bench(const Setup& setup, RunListener& listener)
      : session(setup.options, listener),
        artifact_backend(session.artifact_backend.make_in_parts(session.artifact_threads)),
        base_models(
            session.experiment, *session.materials, session.cache, *artifact_backend, [](auto&, auto&) {}, interrupted,
            session.options.checkpoint_period, BaseModels::Hold::mapped),
        context{session.experiment, *session.materials, session.plan, base_models},
        backend(session.backend.make(session.threads)) {
    if (session.plan.run_hash != setup.run_hash)
      throw Error(ErrorKind::usage, "it plans the run " + session.plan.run_hash + ", not " + setup.run_hash)
          .hint("a plugin, or a file that the manifest names, changed while the run went on");
  }
  Session session;
  std::unique_ptr<Backend> artifact_backend;
  BaseModels base_models;
  TrialContext context;
  std::unique_ptr<Backend> backend;
};

void run_assignment(Wire& wire, Bench& bench, const Wire::Message& message) {
  Assignment assignment;
  message.read([&](State& s) { s(assignment); });
  const PlannedTrial& planned = bench.session.plan.trials.at(assignment.index);
  Task task{0, assignment.index, &planned, assignment.folder, assignment.checkpoint};
  for (const TrialResult& need : assignment.needs) task.needs.push_back(&need);
  bool trains = false;
  const auto stops = [&] {  // the only message that comes while a trial runs
    if (!std::exchange(trains, true)) wire.send(Said::trains);
    if (!interrupted() && wire.receive(std::chrono::milliseconds(0))) request_interrupt();
    return interrupted();
  };
  TrialResult result = run_trial(bench.context, planned, [&](std::string_view path) { return record_of_needs(task, path); },
                                 *bench.backend, task.folder,
                                 {[&](std::int64_t step, double loss) {
                                    StepDone done{step, loss};
                                    wire.send(Said::step, [&](State& s) { s(done); });
                                  },
                                  stops, task.checkpoint, bench.session.options.checkpoint_period});
  wire.send(Said::done, [&](State& s) { s(result); });
}

// ---- what a process can still say when it is ended ----

int last_words = -1;  // the socket
volatile sig_atomic_t ends_with = SIGKILL;

void say_where(const std::string& text) {
  const std::string all = message_bytes(Said::dying, text);
  (void)!::send(last_words, all.data(), all.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Whatever this thread was within when the signal came, in one message; then the signal does what it does. Not all of this may be
// done in a signal handler: should it hang, an alarm ends it.
void on_fatal(int signal) {
  ::signal(signal, SIG_DFL);
  ends_with = signal;
  ::signal(SIGALRM, [](int) { ::kill(::getpid(), ends_with); });
  ::alarm(2);
  say_where(Within::text());
  ::raise(signal);
}

void hear_of_fatal_signals(int socket) {
  last_words = socket;
  alignas(16) static char stack[1 << 16];
  stack_t own{};
  own.ss_sp = stack, own.ss_size = sizeof stack;
  ::sigaltstack(&own, nullptr);
  struct sigaction action {};
  action.sa_handler = on_fatal;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, asks_where}) ::sigaction(signal, &action, nullptr);
}

// More is refused: std::bad_alloc in the trial that asks for it, before the machine has none left for others. A sanitizer's
// shadow is more than any machine has.
void limit_memory(double bytes) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  rlimit limit{};
  if (bytes <= 0 || ::getrlimit(RLIMIT_DATA, &limit) != 0) return;
  limit.rlim_cur = std::min({limit.rlim_cur, limit.rlim_max, static_cast<rlim_t>(bytes)});
  ::setrlimit(RLIMIT_DATA, &limit);
#else
  (void)bytes;
#endif
}

}  // namespace

// UBSan: see call_plugin().
__attribute__((no_sanitize("null"))) void work_for(int socket) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
    throw Error(ErrorKind::usage, "--worker is how khost starts processes of its own");
  // The coordinator tells when to stop, and a worker does not outlive it. Where memory is short the kernel takes a worker's.
  sigset_t heard;
  sigemptyset(&heard);
  for (const int signal : left_to_the_coordinator) ::signal(signal, SIG_IGN), sigaddset(&heard, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &heard, nullptr);
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);  // what a plugin starts must not hold it
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::ofstream("/proc/self/oom_score_adj") << 500;
  Wire wire(socket);
  hear_of_fatal_signals(socket);
  ProcessWatch::tell([](const std::string& what, const std::string& place, const std::string& file) {
    say_where((place.empty() ? "khost itself" : place) + "; " + what + (file.empty() ? "" : "; by code of " + file));
  });
  const auto note = [&](std::string_view text) {
    try {
      wire.send(Said::note, text);
    } catch (const WireClosed&) {  // is seen when something is read
    }
  };
  const LogThrough log(note);
  Noting listener(note);
  std::unique_ptr<Bench> bench;
  const auto answer = [&](const Wire::Message& message) {
    if (message.kind == Said::setup) {
      Setup setup;
      message.read([&](State& s) { s(setup); });
      bench = std::make_unique<Bench>(setup, listener);
      own_temporaries(bench->session.cache.root());
      limit_memory(setup.memory);
      wire.send(Said::ready);
    } else if (message.kind == Said::task && bench) {
      run_assignment(wire, *bench, message);
    }
  };
  try {
    for (;;) {
      const auto message = wire.receive(std::chrono::hours(1));
      if (!message) continue;
      if (message->kind == Said::stop) return;
      Failure failure;
      try {
        answer(*message);
        continue;
      } catch (const WireClosed&) {
        return;
      } catch (abi::__forced_unwind&) {
        ProcessWatch::thread_ends(Within::text());
        throw;
      } catch (const Error& e) {
        failure = {e.kind(), e.what()};
      } catch (const std::exception& e) {
        failure = {ErrorKind::trial, e.what()};
      }
      wire.send(Said::failed, [&](State& s) { s(failure); });
    }
  } catch (const WireClosed&) {  // the coordinator is gone: nobody wants what is here
  }
}

}  // namespace khost
