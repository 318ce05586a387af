// khost report: what a run's folder holds beside run.db, made from it again.
#include <iostream>

#include "commands.hpp"
#include "completes.hpp"
#include "expected.hpp"
#include "output.hpp"
#include "page/figures.hpp"
#include "page/reports.hpp"
#include "page/series_page.hpp"
#include "report/ending.hpp"

namespace khost {

namespace {

// Figures and nothing else: the reports stay as they are.
void figures(const RunReader& reader, const Run& run, const Published& published, const std::string& folder) {
  const std::size_t count = write_figures(folder, run, reader, published);
  std::cout << count << " pictures, each as SVG, PDF and CSV: " << folder << "\n";
}

void series(const std::string& folder, const std::string& figures_in) {
  if (!figures_in.empty())
    throw Error(ErrorKind::usage, "'" + folder + "' is of a series, whose pictures are its runs'").hint("give one of its runs");
  for (const std::string& absent : write_series_reports(folder)) std::cerr << "warning: " << absent << "\n";
  std::cout << "all claims, with their pictures: " << folder << "/claims.html\nas text, one a line: " << folder << "/claims.md\n";
}

void report(const std::string& folder, const std::string& figures_in) {
  if (is_series_folder(folder)) return series(folder, figures_in);
  const RunReader reader(folder);
  const Run run = reader.run();
  if (run.finished.empty())
    std::cerr << "khost: this run, begun " << run.started
              << ", has not come to its end: what is made is of the trials that are finished. "
              << "The same command goes on with it: " << run.command << "\n";
  Published published;
  try {
    published = read_published(run.published);
  } catch (const Error& e) {  // what can be shown is shown
    std::cerr << "warning: without published figures: " << e.what() << "\n";
  }
  if (!figures_in.empty()) return figures(reader, run, published, figures_in);
  const std::vector<Error> failures = write_reports(reader.folder(), run, reader, published);
  for (const Error& e : failures) std::cerr << "warning: " << e.what() << "\n";
  Screen screen = screen_of_stdout();
  screen.whole = failures.empty();
  std::cout << ending(run, published, screen);
  if (!failures.empty()) throw lost_files(failures.size(), 0);
}

}  // namespace

Command report_command() {
  Command command("report", "make a run's reports again, or its pictures");
  struct Options {
    std::string folder, figures;
  };
  auto& o = command.values<Options>();
  command.argument("RUN", o.folder, "the folder of a run or of a series; khost run prints it at its end",
                   {completes::runs, [](const std::string& word) {
                      if (!is_series_folder(word)) expect_run(word);
                    }});
  command.option("figures", "DIR", o.figures, "instead: each picture as SVG and PDF, with its data as CSV, into DIR",
                 completes::folders);
  command.example("report runs/paper85/HASH");
  command.example("report runs/paper85/HASH --figures figures");
  command.note(
      "From run.db it makes report.html, report.md, summary.json and records.csv. A run that goes on, or was broken off, is "
      "reported as far as it has come.");
  command.does([&o] { report(o.folder, o.figures); });
  return command;
}

}  // namespace khost
