// khost report: what a run's folder holds beside run.db, made from it again.
#include <iostream>

#include "commands.hpp"
#include "output.hpp"
#include "report/ending.hpp"

namespace khost {

namespace {

void report(const std::string& folder) {
  const RunReader reader(folder);
  const Run run = reader.run();
  if (run.finished.empty())
    throw Error(ErrorKind::usage, "the run in " + reader.folder() + ", begun " + run.started + ", has not come to its end")
        .hint("the same command goes on with it: " + run.command)
        .hint("khost show has the records of the trials that are finished");
  const Published published = read_published(run.published);
  const std::vector<Error> failures = write_reports(reader.folder(), run, reader, published);
  for (const Error& e : failures) std::cerr << "warning: " << e.what() << "\n";
  std::cout << ending(run, published, screen_of_stdout());
  if (!failures.empty()) throw lost_files(failures.size(), 0);
}

}  // namespace

Command report_command() {
  Command command("report", "make a run's reports again from its run.db: summary.json, records.csv, report.md");
  auto& folder = command.values<std::string>();
  command.argument("RUN", folder, "the run's folder; khost run prints it at its end");
  command.example("report runs/paper85/HASH");
  command.does([&folder] { report(folder); });
  return command;
}

}  // namespace khost
