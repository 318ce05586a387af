#include "series.hpp"

#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "execute.hpp"

namespace khost {

namespace {

std::string minutes(double seconds) {
  return seconds < 60 ? fmt::format("{:.1f} s", seconds)
                      : fmt::format("{} min {:02} s", static_cast<int>(seconds) / 60, static_cast<int>(seconds) % 60);
}

}  // namespace

void run_series(const Series& series, SessionOptions options, const std::string& out) {
  catch_interruptions();
  std::vector<std::unique_ptr<Session>> sessions;
  for (const std::string& manifest : series.manifests) {
    options.manifest = manifest;
    sessions.push_back(std::make_unique<Session>(options, [](std::string_view what) { std::cerr << what << "\n"; }));
  }
  std::string summary;
  double seconds = 0;
  std::int64_t failed = 0, trials = 0;
  for (auto& session : sessions) {
    const std::string& name = session->experiment.name;
    std::cout << fmt::format("\n{}: {}\n\n", name, session->experiment.title);
    const Executed executed = execute(*session, out.empty() ? "" : out + "/" + name);
    print(executed);
    const auto count = static_cast<std::int64_t>(executed.run.trials.size());
    const auto reused = std::ranges::count(executed.run.trials, true, &TrialResult::reused);
    summary += fmt::format("  {:<14} {:>5} trials, {:>5} of them computed before  {:>14}  {}\n", name, count, reused,
                           minutes(executed.seconds), executed.run.folder);
    seconds += executed.seconds, failed += executed.failed, trials += count;
    session.reset();  // its text and models
  }
  std::cout << fmt::format("\n{}: {}\n\n{}\n  {} experiments, {} trials, {}\n", series.name, series.title, summary,
                           series.manifests.size(), trials, minutes(seconds));
  if (failed)
    throw Error(ErrorKind::trial, fmt::format("{} of {} trials failed; the others are kept", failed, trials))
        .hint("their messages stand below their experiment's table and in its summary.json");
}

}  // namespace khost
