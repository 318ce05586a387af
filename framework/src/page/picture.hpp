// A picture of a run as data: the rows that a chart is drawn from, that its table shows and that its CSV file holds.
#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "report/figures.hpp"
#include "stats/rule.hpp"

namespace khost {

// One mark: mean and t interval over the trials of one base and arm, or of one step of theirs; of a claim its estimate.
struct PictureRow {
  std::string panel = {};   // of the charts side by side the one that it is in: a base, and an arm where there are several
  std::string series = {};  // what has a colour of its own: an arm, a record
  std::string at = {};      // where on the x axis, as text
  double x = std::numeric_limits<double>::quiet_NaN();  // the same where it is a number
  Interval y = {};
  std::optional<Band> noise = {};  // of single trials in which the probe sees nothing but noise
  const PublishedFigure* published = nullptr;
  const Figure* figure = nullptr;  // whose values by seed these are; null: of a step
  double level = 0.95;             // of the interval
  std::optional<Ends> also = {};   // of a claim: its interval corrected for skewness, which has to agree
  std::string record = {};         // BASE/ARM/PROBE/NAME
};

// A line that is known beforehand.
struct Reference {
  std::string label = {};
  std::vector<std::pair<double, double>> points = {};
};

// Of a picture, from text that may be anything: letters, digits, '-', '_' and '.', the latter not first.
std::string picture_id(const std::string& text);

struct Picture {
  std::string id = {};       // "snr-drift": the page's anchor and the name of its file; a picture_id()
  std::string section = {};  // "snr"
  std::string title = {};
  std::string form = {};  // of the templates in share/report: "steps", "lines", "points", "dots", "heat", "bars", "claim"
  std::string x_title = {}, y_title = {};
  bool x_numeric = false, x_log = false, y_log = false;
  bool further = false;  // one that nobody asked for, by the records' shape, where others of its section were asked for
  std::vector<std::string> definitions = {};  // of its records: "snr/drift/<group> [1]: ...; what noise gives: ..."
  std::vector<std::string> notes = {};        // of its published figures, and what is left out
  std::vector<Reference> references = {};
  std::vector<PictureRow> rows = {};
  // Of a claim: what its prediction takes for true (the margin taken off), NaN where it is open; and what its paper says.
  std::optional<std::pair<double, double>> region = {};
  double said = std::numeric_limits<double>::quiet_NaN();

  bool has_marks() const;                   // is anything finite?
  std::vector<std::string> panels() const;  // in the order of the rows
  std::vector<std::string> series() const;
};

}  // namespace khost
