#include <fmt/format.h>

#include <fstream>
#include <memory>

#include "commands.hpp"
#include "completes.hpp"
#include "export/tensorboard.hpp"
#include "interruptions.hpp"
#include "output.hpp"
#include "run/run_folder.hpp"
#include "series.hpp"
#include "session_options.hpp"

namespace khost {

namespace {

// As a shell takes it.
std::string typed_command() {
  std::ifstream words("/proc/self/cmdline");
  std::string command;
  for (std::string word; std::getline(words, word, '\0');) {
    if (word.empty() ||
        word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./=:,+@%") != word.npos) {
      std::string quoted = "'";
      for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
      word = quoted + "'";
    }
    command += (command.empty() ? "" : " ") + word;
  }
  return command;
}

// What an interrupted run's user is told.
std::string going_on(const SessionOptions& options) {
  return options.fresh ? "finished trials are kept; with --fresh the same command computes all of them once more"
                       : "nothing that was finished is lost; the same command goes on from there: " + options.command;
}

void run(const SessionOptions& options, const std::string& out, const std::string& events, Output& output) {
  catch_interruptions(going_on(options));
  std::unique_ptr<LiveEvents> live;
  if (!events.empty()) live = std::make_unique<LiveEvents>(output, where_started(events));
  RunListener& listener = live ? static_cast<RunListener&>(*live) : output;
  if (const auto series = read_series(options.manifest)) return run_series(*series, options, out, output, listener);
  Session session(options, listener);
  std::set<std::string> computed;
  const FinishedRun finished = run_experiment(session, out, computed);
  output.ended(finished, true);
  const auto all = std::ssize(finished.run.trials);
  if (finished.failed)
    throw Error(ErrorKind::trial, finished.failed < all
                                      ? fmt::format("{} of {} trials failed; the others are kept", finished.failed, all)
                                  : all > 1 ? fmt::format("all {} trials failed", all)
                                            : "the only trial failed")
        .hint("why stands above and in " + finished.run.folder + "/summary.json; the same command tries again what failed");
  if (!finished.unwritten.empty() || !finished.lost.empty()) throw lost_files(finished.unwritten.size(), finished.lost.size());
}

Workers workers_named(const std::string& name) {
  if (name == "processes") return Workers::processes;
  if (name == "threads") return Workers::threads;
  throw Error(ErrorKind::usage, "--workers is 'processes' or 'threads', found '" + name + "'");
}

}  // namespace

Command run_command() {
  Command command("run", "run an experiment, or a series of them");
  struct Options : SessionOptions {
    std::string out, tensorboard;
    std::optional<int> checkpoint, silence;
    std::optional<std::string> workers;
    bool quiet = false, json = false;
  };
  auto& o = command.values<Options>();
  declare(command, o);
  command.option("out", "FOLDER", o.out, "the run's folder (default: runs/<experiment>/<hash>)", completes::folders);
  command.option("checkpoint", "SECONDS", o.checkpoint, {0, 86400},
                 "how often what is trained is written down, so that a killed run goes on from there (30); 0: at each step");
  command.option("workers", "WHICH", o.workers,
                 "processes: a crash costs its trial alone; threads (default: processes, but for trials of seconds)",
                 completes::one_of({"processes", "threads"}));
  command.option("silence", "SECONDS", o.silence, {1, 1000000},
                 "a trial in a worker process that makes no step for so long is ended (1800)");
  command.option("tensorboard", "FOLDER", o.tensorboard, "write TensorBoard's event files there while the run goes on",
                 completes::folders);
  command.flag("fresh", o.fresh, "compute trials anew that are in the cache, and replace them");
  command.flag("quiet", o.quiet, "no progress: warnings and the end alone");
  command.flag("json", o.json, "what happens as JSON, an object a line, on standard output");
  command.example("run experiments/paper85.manifest");
  command.example("run experiments/paper85.manifest --seeds 3 --set adapter.basis=random");
  command.example("run experiments/kseries.manifest --backend onednn --out runs/onednn");
  command.note(
      "`khost M.manifest` is short for `khost run M.manifest`. What is finished is kept: the same command again computes "
      "only what is missing.");
  command.does([&o] {
    if (o.checkpoint) o.checkpoint_period = *o.checkpoint;
    if (o.silence) static_cast<SessionOptions&>(o).silence = *o.silence;
    if (o.workers) static_cast<SessionOptions&>(o).workers = workers_named(*o.workers);
    o.command = typed_command();
    if (o.quiet && o.json) throw Error(ErrorKind::usage, "--quiet and --json exclude each other");
    const auto output = make_output(o.json ? Telling::json : o.quiet ? Telling::quiet : Telling::normal);
    try {
      run(o, o.out, o.tensorboard, *output);
    } catch (Error& e) {
      if (e.kind() == ErrorKind::interrupted) e.hint(going_on(o));
      throw;
    }
  });
  return command;
}

}  // namespace khost
