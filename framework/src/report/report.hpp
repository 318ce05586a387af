// What a run answers with: a table on the terminal, summary.json, records.csv.
#pragma once

#include <string>
#include <vector>

#include "engine/result.hpp"
#include "manifest/experiment.hpp"

namespace khost {

struct Run {
  std::string experiment, title, hash, folder;
  Environment environment;
  std::vector<TrialResult> trials;  // in plan order
};

// One published figure tied to a record: share/published/<name>.json.
struct PublishedFigure {
  std::string record;
  double value = 0;
  std::string where;
  std::string note;
};
std::vector<PublishedFigure> read_published(
    const std::string& name);  // {} when name is ""; usage Error when the file is not there

// The table: per base, figure (arm/probe/name), mean over seeds, 95 % t interval, n, published.
std::string figure_table(const Run& run, const std::vector<PublishedFigure>& published, int width);

void write_summary(const std::string& path, const Run& run,
                   const std::vector<PublishedFigure>& published);  // design's summary.json
void write_records_csv(const std::string& path, const Run& run);

}  // namespace khost
