#include <fmt/format.h>

#include <iostream>

#include "commands.hpp"
#include "execute.hpp"
#include "interruptions.hpp"
#include "series.hpp"

namespace khost {

namespace {

void run(const SessionOptions& options, const std::string& out) {
  if (const auto series = read_series(options.manifest)) return run_series(*series, options, out);
  catch_interruptions();
  Session session(options, [](std::string_view what) { std::cerr << what << "\n"; });
  const Executed executed = execute(session, out);
  print(executed);
  const auto all = std::ssize(executed.run.trials);
  if (executed.failed)
    throw Error(ErrorKind::trial, executed.failed < all
                                      ? fmt::format("{} of {} trials failed; the others are kept", executed.failed, all)
                                  : all > 1 ? fmt::format("all {} trials failed", all)
                                            : "the only trial failed")
        .hint("why stands below the table and in " + executed.run.folder +
              "/summary.json; the same command tries again what failed");
  if (!executed.unwritten.empty() || !executed.lost.empty()) throw lost_files(executed.unwritten.size(), executed.lost.size());
}

}  // namespace

Command run_command() {
  Command command("run", "run an experiment, or a series of them");
  struct Options : SessionOptions {
    std::string out;
  };
  auto& o = command.values<Options>();
  o.declare(command);
  command.option("out", "FOLDER", o.out, "the run's folder (default: runs/<experiment>/<hash>)");
  command.flag("fresh", o.fresh, "compute trials anew that are in the cache, and replace them");
  command.example("run experiments/paper85.manifest");
  command.example("run experiments/paper85.manifest --seeds 3 --set adapter.basis=random");
  command.example("run experiments/kseries.manifest --backend onednn --out runs/onednn");
  command.note(
      "`khost M.manifest` is short for `khost run M.manifest`. What is finished is kept: the same command again computes "
      "only what is missing.");
  command.does([&o] { run(o, o.out); });
  return command;
}

}  // namespace khost
