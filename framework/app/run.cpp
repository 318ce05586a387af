#include <fmt/format.h>

#include <iostream>

#include "commands.hpp"
#include "execute.hpp"
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
}

}  // namespace

void add_run(CLI::App& app) {
  CLI::App* command = app.add_subcommand("run", "run an experiment; `khost M.manifest` is short for it");
  auto options = std::make_shared<SessionOptions>();
  auto out = std::make_shared<std::string>();
  options->declare(*command);
  command->add_option("--out", *out, "the run's folder; runs/<experiment>/<hash> otherwise");
  command->callback([options, out] { run(*options, *out); });
}

}  // namespace khost
