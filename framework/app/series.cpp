#include "series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "khost/interrupt.hpp"
#include "page/series_page.hpp"
#include "report/columns.hpp"
#include "report/ending.hpp"
#include "run/registration.hpp"
#include "run/run_folder.hpp"

namespace khost {

namespace {

// A run's folder as a link from the series's own.
std::string from_folder(const std::string& folder, const std::string& run) {
  const std::filesystem::path there = where_started(run), here = where_started(folder);
  const std::filesystem::path relative = there.lexically_relative(here);
  return relative.empty() ? there.string() : relative.string();
}

}  // namespace

void run_series(const Series& series, SessionOptions options, const std::string& out, Output& output, RunListener& listener) {
  std::vector<std::unique_ptr<Session>> sessions;
  for (const std::string& manifest : series.manifests) {
    check_interrupt();
    options.manifest = manifest;
    sessions.push_back(std::make_unique<Session>(options, listener));
  }
  for (const auto& session : sessions) register_claims(*session);  // they share trials
  std::set<std::string> computed;
  std::string failures;
  Columns table(Columns::Align::left);
  table.add({"experiment", "trials", "computed before", "time", "claims x bases", "run folder"});
  std::vector<std::pair<std::string, std::string>> runs;  // by experiment, its folder
  const std::string folder = out.empty() ? "runs/" + series.name : out;
  double seconds = 0;
  std::int64_t failed = 0, trials = 0;
  std::size_t unwritten = 0, lost = 0;
  for (auto& session : sessions) {
    check_interrupt();
    const std::string& name = session->experiment.name;
    output.message(fmt::format("\n{}: {}", name, session->experiment.title));
    const FinishedRun finished = run_experiment(*session, out.empty() ? "" : out + "/" + name, computed);
    output.ended(finished, false);
    for (const TrialResult& t : finished.run.trials)
      if (t.status != "done") failures += "failed: " + name + ", " + t.key.text() + ": " + t.message + "\n";
    const auto count = static_cast<std::int64_t>(finished.run.trials.size());
    const auto reused = std::ranges::count(finished.run.trials, true, &TrialResult::reused);
    table.add({"  " + name, std::to_string(count), std::to_string(reused), duration_text(finished.seconds),
               verdict_counts(finished.run.claims), finished.run.folder});
    runs.emplace_back(name, from_folder(folder, finished.run.folder));
    seconds += finished.seconds, failed += finished.failed, trials += count;
    unwritten += finished.unwritten.size(), lost += finished.lost.size();
    session.reset();  // its text and models
  }
  std::string text = fmt::format("\n{}: {}\n\n{}\n{} experiments, {} trials, {}\n", series.name, series.title, table.text(),
                                 series.manifests.size(), trials, duration_text(seconds));
  if (!failures.empty()) text += "\n" + failures;
  const std::string where = where_started(folder);
  write_series_file(where, series.title, runs);
  for (const std::string& absent : write_series_reports(where)) output.message("warning: " + absent);
  output.series_ended(text + "\nall claims, with their pictures: " + folder + "/claims.html\nas text, one a line: " + folder +
                      "/claims.md\n");
  if (failed)
    throw Error(ErrorKind::trial,
                fmt::format("{} of {} trials failed{}", failed, trials, failed == trials ? "" : "; the others are kept"))
        .hint("their messages stand above and in their experiment's summary.json");
  if (unwritten || lost) throw lost_files(unwritten, lost);
}

}  // namespace khost
