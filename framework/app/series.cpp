#include "series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "artifact/file.hpp"
#include "execute.hpp"
#include "interruptions.hpp"
#include "khost/interrupt.hpp"
#include "register.hpp"
#include "report/text.hpp"
#include "run_folder.hpp"

namespace khost {

void run_series(const Series& series, SessionOptions options, const std::string& out) {
  catch_interruptions();
  std::vector<std::unique_ptr<Session>> sessions;
  for (const std::string& manifest : series.manifests) {
    check_interrupt();
    options.manifest = manifest;
    sessions.push_back(std::make_unique<Session>(options, [](std::string_view what) { std::cerr << what << "\n"; }));
  }
  for (const auto& session : sessions) register_claims(*session);  // they share trials
  std::string summary;
  std::vector<std::pair<std::string, Json>> claims;  // by experiment
  double seconds = 0;
  std::int64_t failed = 0, trials = 0;
  std::size_t unwritten = 0, lost = 0;
  for (auto& session : sessions) {
    check_interrupt();
    const std::string& name = session->experiment.name;
    std::cout << fmt::format("\n{}: {}\n\n", name, session->experiment.title);
    const Executed executed = execute(*session, out.empty() ? "" : out + "/" + name);
    print(executed);
    const auto count = static_cast<std::int64_t>(executed.run.trials.size());
    const auto reused = std::ranges::count(executed.run.trials, true, &TrialResult::reused);
    summary += fmt::format("  {:<14} {:>5} trials, {:>5} of them computed before  {:>14}  {}\n", name, count, reused,
                           duration_text(executed.seconds), executed.run.folder);
    claims.emplace_back(name, claims_json(executed.run));
    seconds += executed.seconds, failed += executed.failed, trials += count;
    unwritten += executed.unwritten.size(), lost += executed.lost.size();
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
