#include "page/reports.hpp"

#include "artifact/file.hpp"
#include "page/run_page.hpp"

namespace khost {

std::vector<Error> write_reports(const std::string& folder, const Run& run, const RunReader& reader, const Published& published) {
  std::vector<Error> failures;
  const auto written = [&](const auto& write) {
    try {
      write();
    } catch (const Error& failure) {
      failures.push_back(failure);
    }
  };
  const std::vector<BaseFigures> bases = figures_of(run, published.figures);
  written([&] { write_file_atomically(folder + "/resolved.manifest", run.manifest); });
  written([&] { write_summary(folder + "/summary.json", run, bases, published); });
  written([&] { write_records_csv(folder + "/records.csv", bases, reader); });
  written([&] { write_report_md(folder + "/report.md", run, bases, published); });
  written([&] { write_report_html(folder + "/report.html", run, reader, bases, published); });
  return failures;
}

}  // namespace khost
