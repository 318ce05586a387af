// The page of a series: all claims over all of its papers.
#pragma once

#include <string>
#include <vector>

#include "khost/json.hpp"

namespace khost {

struct SeriesPart {
  std::string name, title;
  std::string folder;   // of its run, as the page's reader finds it from the page's own folder
  std::string trials;   // "150 trials: 150 run"
  std::string seconds;  // "8 min 27 s"
  Json claims = {};     // as Run::claims
};

// Each experiment's verdicts, each claim leading to its place in that run's report.html. Throws as write_report_html().
void write_series_html(const std::string& path, const std::string& title, const std::vector<SeriesPart>& parts);

}  // namespace khost
