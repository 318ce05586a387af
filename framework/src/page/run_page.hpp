// report.html: one file that shows a run, made from its run.db.
#pragma once

#include <string>
#include <vector>

#include "page/picture.hpp"
#include "report/report.hpp"

namespace khost {

// What of a run its page and its figures are made from. Points into `run` and `bases`, which are figures_of() it.
struct RunPictures {
  RunPictures(const Run& run, const RunReader& reader, const std::vector<BaseFigures>& bases);

  std::vector<Picture> claims;        // one of each claim: its estimate on each base
  std::vector<Picture> pictures;      // by section
  std::vector<std::string> faults;    // of picture specs that plugins bring
  std::vector<std::string> left_out;  // pictures that would be too many
};

// Throws a usage Error when khost's share folder lacks a part, or the file cannot be written.
void write_report_html(const std::string& path, const Run& run, const RunReader& reader, const std::vector<BaseFigures>& bases,
                       const Published& published);

}  // namespace khost
