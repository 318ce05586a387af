#include "series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "artifact/file.hpp"
#include "console.hpp"
#include "interruptions.hpp"
#include "khost/interrupt.hpp"
#include "report/text.hpp"
#include "run/registration.hpp"
#include "run/run_folder.hpp"

namespace khost {

void run_series(const Series& series, SessionOptions options, const std::string& out) {
  catch_interruptions();
  Console console;
  std::vector<std::unique_ptr<Session>> sessions;
  for (const std::string& manifest : series.manifests) {
    check_interrupt();
    options.manifest = manifest;
    sessions.push_back(std::make_unique<Session>(options, console));
  }
  for (const auto& session : sessions) register_claims(*session);  // they share trials
  std::set<std::string> computed;
  std::string summary;
  std::vector<std::pair<std::string, Json>> claims;  // by experiment
  double seconds = 0;
  std::int64_t failed = 0, trials = 0;
  std::size_t unwritten = 0, lost = 0;
  for (auto& session : sessions) {
    check_interrupt();
    const std::string& name = session->experiment.name;
    std::cout << fmt::format("\n{}: {}\n\n", name, session->experiment.title);
    const FinishedRun finished = run_experiment(*session, out.empty() ? "" : out + "/" + name, computed);
    print(finished);
    const auto count = static_cast<std::int64_t>(finished.run.trials.size());
    const auto reused = std::ranges::count(finished.run.trials, true, &TrialResult::reused);
    summary += fmt::format("  {:<14} {:>5} trials, {:>5} of them computed before  {:>14}  {}\n", name, count, reused,
                           duration_text(finished.seconds), finished.run.folder);
    claims.emplace_back(name, claims_json(finished.run));
    seconds += finished.seconds, failed += finished.failed, trials += count;
    unwritten += finished.unwritten.size(), lost += finished.lost.size();
    session.reset();  // its text and models
  }
  std::cout << fmt::format("\n{}: {}\n\n{}\n  {} experiments, {} trials, {}\n", series.name, series.title, summary,
                           series.manifests.size(), trials, duration_text(seconds));
  for (const auto& [name, list] : claims)
    if (!list.as_list().empty()) std::cout << "\n" << name << "\n" << claim_table(list, 100);
  const std::string table = (out.empty() ? "runs/" + series.name : out) + "/claims.md";
  std::error_code made;
  std::filesystem::create_directories(std::filesystem::path(where_started(table)).parent_path(), made);
  write_file_atomically(where_started(table), "# " + markdown(series.title) + "\n\n" + claim_markdown(claims));
  std::cout << "\none line a claim: " << table << "\n";
  if (failed)
    throw Error(ErrorKind::trial,
                fmt::format("{} of {} trials failed{}", failed, trials, failed == trials ? "" : "; the others are kept"))
        .hint("their messages stand below their experiment's table and in its summary.json");
  if (unwritten || lost) throw lost_files(unwritten, lost);
}

}  // namespace khost
