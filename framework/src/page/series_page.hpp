// The pages of a series: all claims over all of its papers. Its folder has series.json, which says where its runs are, and what
// is made from that and their run.db: claims.html and claims.md.
#pragma once

#include <string>
#include <vector>

#include "khost/json.hpp"

namespace khost {

struct SeriesPart {
  std::string name = {}, title = {};
  std::string folder = {};   // of its run, as the page's reader finds it from the page's own folder; "" when it is not there
  std::string trials = {};   // "150 trials: 150 run", or why there is none of it
  std::string seconds = {};  // "9 min 17 s", in trials
  Json claims = Json(Json::List());  // as Run::claims
};

// Each experiment's verdicts, each claim leading to its place in that run's report.html. Throws as write_report_html().
void write_series_html(const std::string& path, const std::string& title, const std::vector<SeriesPart>& parts);

// series.json of a folder, which is made; `runs`: name of the experiment and its run's folder, relative to this one or absolute.
void write_series_file(const std::string& folder, const std::string& title,
                       const std::vector<std::pair<std::string, std::string>>& runs);
bool is_series_folder(const std::string& folder);

// claims.html and claims.md, as far as the runs are there. Returns a line for each that is not.
std::vector<std::string> write_series_reports(const std::string& folder);

}  // namespace khost
