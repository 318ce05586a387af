#include "run/process_executor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "core/interrupt.hpp"
#include "run/run_folder.hpp"
#include "run/worker.hpp"

extern char** environ;  // NOLINT

namespace khost {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
constexpr milliseconds look{100};         // how often an interruption is looked for
constexpr milliseconds last_words{3000};  // of a process that is asked where it is
constexpr milliseconds to_leave{2000};    // for one that is done
constexpr milliseconds to_begin{600000};  // until one is ready: it plans the run
constexpr int attempts = 2;
constexpr int its_socket = 3;

class NoProcess : public std::runtime_error {
 public:
  explicit NoProcess(int why) : std::runtime_error(std::strerror(why)) {}
};

// Time in which this process waited: what it was stopped, or the machine asleep, does not count.
class Waited {
 public:
  void none() { sum_ = milliseconds(0), last_ = Clock::now(); }
  milliseconds look_again() {
    const auto now = Clock::now();
    sum_ += std::min(std::chrono::duration_cast<milliseconds>(now - std::exchange(last_, now)), 10 * look);
    return sum_;
  }

 private:
  milliseconds sum_{0};
  Clock::time_point last_ = Clock::now();
};

}  // namespace

// A worker process.
class ProcessExecutor::Process {
 public:
  // Throws NoProcess.
  Process() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw NoProcess(errno);
    wire_.emplace(ends[0]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], its_socket);
    ::posix_spawn_file_actions_addchdir_np(&actions, where_started("").c_str());
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t blocked;  // until it ignores them: a terminal's Ctrl-C is for it too
    sigemptyset(&blocked);
    for (const int signal : left_to_the_coordinator) sigaddset(&blocked, signal);
    ::posix_spawnattr_setsigmask(&attributes, &blocked);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    std::string words[] = {"khost", "--worker", std::to_string(its_socket)};
    char* argv[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
    const int failed = ::posix_spawn(&pid_, "/proc/self/exe", &actions, &attributes, argv, environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (failed) throw NoProcess(failed);
  }
  ~Process() { end(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void begin(Setup setup) {
    wire_->send(Said::setup, [&](State& s) { s(setup); });
  }
  Wire& wire() { return *wire_; }

  // Of one that says no more: its last words.
  std::string where() {
    if (pid_ > 0) ::kill(pid_, asks_where);
    try {
      const auto until = Clock::now() + last_words;
      for (auto now = Clock::now(); now < until; now = Clock::now()) {
        const auto message = wire_->receive(std::chrono::duration_cast<milliseconds>(until - now));
        if (message && message->kind == Said::dying) return message->content;
      }
    } catch (const WireClosed&) {
    }
    return "";
  }
  // It has no task, and may end by itself.
  void leave() {
    wire_.reset();
    reap(to_leave);
    end();
  }
  bool gone() { return reap(milliseconds(0)); }
  // How it ended, for people; it is ended when it has not.
  std::string end_text() {
    reap(to_leave);
    end();
    if (killed_) return "was ended by khost";
    if (!status_) return "ended";
    if (WIFEXITED(*status_)) return fmt::format("ended with code {}", WEXITSTATUS(*status_));
    const int signal = WTERMSIG(*status_);
    return fmt::format("was ended by signal {} ({}){}", signal, ::strsignal(signal),
                       signal == SIGKILL ? ": by the kernel, which had no more memory, or by somebody" : "");
  }
  // What is in its memory may be wrong.
  bool ended_by_a_fault() const { return status_ && WIFSIGNALED(*status_) && WTERMSIG(*status_) != SIGKILL; }

 private:
  bool reap(milliseconds patience) {
    const auto until = Clock::now() + patience;
    while (pid_ > 0) {
      int status = 0;
      const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
      if (reaped == pid_) status_ = status;
      if (reaped != 0) pid_ = 0;
      if (pid_ == 0 || Clock::now() >= until) break;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return pid_ == 0;
  }
  void end() {
    if (pid_ == 0) return;
    killed_ = true;
    ::kill(pid_, SIGKILL);
    reap(milliseconds(60000));
  }

  std::optional<Wire> wire_;
  pid_t pid_ = 0;  // 0: it is no more
  std::optional<int> status_;
  bool killed_ = false;
};

// What became of an attempt: a result, a failure of the trial's own, or the end of its process.
struct ProcessExecutor::Outcome {
  std::optional<TrialResult> result;
  std::optional<Error> failure;
  std::string how;     // its process ended, for people
  bool begun = false;  // it was given the task
  bool fault = false;  // of the process
};

// With a process about one task.
class ProcessExecutor::Conversation {
 public:
  Conversation(Tasks& tasks, const Task& task, Assignment& assignment, milliseconds silence)
      : tasks_(tasks), task_(task), assignment_(assignment), silence_(silence) {}

  void give(Process& process) {
    process.wire().send(Said::task, [&](State& s) { s(assignment_); });
    outcome_.begun = true;
    waited_.none();
  }

  // Until there is an outcome. Throws WireClosed when the process has ended.
  void run(Process& process) {
    while (!outcome_.result && !outcome_.failure && outcome_.how.empty()) {
      if (!stopped_ && tasks_.interrupted()) stop(process);
      if (const auto message = process.wire().receive(look)) {
        waited_.none();
        hear(process, *message);
      } else if (process.gone()) {
        throw WireClosed();
      } else if (waited_.look_again() > (outcome_.begun ? silence_ : std::max(silence_, to_begin))) {
        where_ = process.where();
        outcome_.how = outcome_.begun ? fmt::format("made no step for {} s, and was ended", silence_.count() / 1000)
                                      : "was not ready in time";
      }
    }
  }

  Outcome end(Process& process) {
    if (outcome_.result || outcome_.failure) return std::move(outcome_);
    if (outcome_.how.empty()) outcome_.how = process.end_text(), outcome_.fault = process.ended_by_a_fault();
    if (stopped_ || tasks_.interrupted()) {
      outcome_.failure = Error(ErrorKind::interrupted, "interrupted");
    } else if (!outcome_.begun) {
      outcome_.how = "its worker process " + outcome_.how;
    } else {
      outcome_.how = "its process " + outcome_.how +
                     (step_ < 0 ? ", before a step was done" : fmt::format(", after step {}", step_)) +
                     (where_.empty() ? "" : ", in " + where_);
    }
    return std::move(outcome_);
  }

 private:
  // What is trained is kept: the end of the step is waited for, as if it were this process's.
  void stop(Process& process) {
    stopped_ = true;
    if (training_) finishing_.emplace("the step in hand", Activity::Kind::step);
    process.wire().send(Said::stop);
  }

  void hear(Process& process, const Wire::Message& message) {
    switch (message.kind) {
      case Said::ready:
        give(process);
        break;
      case Said::trains:
        training_ = true;
        break;
      case Said::step: {
        StepDone done;
        message.read([&](State& s) { s(done); });
        step_ = done.step;
        training_ = step_ + 1 < task_.trial->cost.steps;
        if (!training_) finishing_.reset();
        tasks_.step(task_, done.step, done.loss);
        break;
      }
      case Said::note:
        tasks_.note(message.content);
        break;
      case Said::done:
        message.read([&](State& s) { s(outcome_.result.emplace()); });
        break;
      case Said::failed: {
        Failure failure;
        message.read([&](State& s) { s(failure); });
        if (outcome_.begun)
          outcome_.failure = Error(failure.kind, failure.text);
        else
          outcome_.how = "could not be made ready: " + failure.text;
        break;
      }
      case Said::dying:
        where_ = message.content;
        break;
      default:
        break;
    }
  }

  Tasks& tasks_;
  const Task& task_;
  Assignment& assignment_;
  const milliseconds silence_;
  Waited waited_;
  bool training_ = false, stopped_ = false;
  std::int64_t step_ = -1;  // the last that was done
  std::string where_;
  std::optional<Activity> finishing_;
  Outcome outcome_;
};

void ProcessExecutor::run(Tasks& tasks) {
  side_by_side(workers_, [&](int worker) { work(tasks, worker); });
}

void ProcessExecutor::work(Tasks& tasks, int worker) {
  try {
    std::unique_ptr<Process> process;
    while (const auto task = tasks.take(worker)) {
      try {
        expect_(*task->trial);
      } catch (const Error& e) {
        tasks.failed(*task, e);
        continue;
      }
      if (!run_task(tasks, *task, process)) return otherwise_(tasks, worker, *task);
    }
    if (process) process->leave();
  } catch (...) {
    tasks.ended(std::current_exception());
  }
}

// False: no process could be had for it, and it is not begun.
bool ProcessExecutor::run_task(Tasks& tasks, const Task& task, std::unique_ptr<Process>& process) {
  Assignment assignment{task.index, task.folder, task.checkpoint, {}};
  for (const TrialResult* need : task.needs)
    for (RecordSeries& s : assignment.needs.emplace_back(*need).series)
      s.points.resize(s.has_whole() ? 1 : 0);  // no others are asked for
  const std::string warning = "warning: " + task.trial->key.text() + ": ";
  std::string before;  // what became of the first attempt
  for (int number = 1;; ++number) {
    Outcome outcome = attempt(tasks, task, assignment, process);
    if (outcome.failure) {
      tasks.failed(task, *outcome.failure);
      return true;
    }
    if (outcome.result) {
      tasks.done(task, std::move(*outcome.result), before);
      return true;
    }
    if (!outcome.begun && number == 1) {
      tasks.note(warning + outcome.how +
                 "\n  it and what follows run in threads of this process: who crashes there ends the run");
      return false;
    }
    if (number == attempts) {
      // What a broken memory wrote down may be what broke it.
      std::error_code gone;
      if (outcome.fault) std::filesystem::remove(task.checkpoint, gone);
      Error error(ErrorKind::trial, outcome.how);
      error.within(task.trial->key.text()).hint("it was tried twice; the first time " + before);
      tasks.failed(task, error);
      return true;
    }
    before = outcome.how;
    tasks.note(warning + before + "\n  it is tried once more, from its checkpoint where there is one");
    std::error_code left;  // what it was writing
    for (const auto& file : std::filesystem::directory_iterator(task.folder, left))
      std::filesystem::remove_all(file.path(), left);
  }
}

// Without a process it makes one; afterwards there is one where it can take the next task.
ProcessExecutor::Outcome ProcessExecutor::attempt(Tasks& tasks, const Task& task, Assignment& assignment,
                                                  std::unique_ptr<Process>& process) {
  Conversation conversation(tasks, task, assignment, silence_);
  try {
    if (process) try {
        conversation.give(*process);
      } catch (const WireClosed&) {  // it ended while it had nothing to do
        process.reset();
      }
    if (!process) {
      process = std::make_unique<Process>();
      process->begin(setup_);
    }
    conversation.run(*process);
  } catch (const WireClosed&) {
  } catch (const NoProcess& e) {
    Outcome none;
    none.how = std::string("its worker process could not be started: ") + e.what();
    return none;
  } catch (const std::exception& e) {  // of who hears of a step, or no memory: as in a thread, that costs the trial
    process.reset();
    Outcome none;
    none.failure = Error(ErrorKind::trial, e.what());
    return none;
  }
  Outcome outcome = conversation.end(*process);
  if (!outcome.how.empty() || process->gone()) process.reset();
  return outcome;
}

}  // namespace khost
