// The files of a run's folder that are made from its run.db, and can be made from it again.
#pragma once

#include <string>
#include <vector>

#include "report/report.hpp"

namespace khost {

inline constexpr const char* report_files[] = {"resolved.manifest", "summary.json", "records.csv", "report.md", "report.html"};

// All of them. One that cannot be written does not keep the others away: its error is given back.
std::vector<Error> write_reports(const std::string& folder, const Run& run, const RunReader& reader, const Published& published);

}  // namespace khost
