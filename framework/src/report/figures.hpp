// A run's trials gathered into figures: one per base, arm, probe and record name. What table, summary and report all show.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "report/report.hpp"
#include "report/text.hpp"
#include "stats/summary.hpp"

namespace khost {

struct Figure {
  std::string probe, name, unit;
  std::vector<double> values;  // one per trial of the arm; NaN: missing
  Interval interval;           // 95 %
  const PublishedFigure* published = nullptr;
  std::optional<Band> null = {};  // of single trials under the null, where it has one

  std::string label() const { return probe + "/" + name; }
};

struct ArmFigures {
  std::string arm;
  std::vector<const TrialResult*> trials;  // by draw and seed, failed ones too
  std::vector<Figure> figures;             // losses, parameters, then the probes in the order of their first record
};

struct BaseFigures {
  std::string base;
  std::vector<ArmFigures> arms;
};

// Bases and arms in the order in which the run's trials first name them. Only records of a whole trial (step -1) are figures. The
// result points into `run` and `published`.
std::vector<BaseFigures> figures_of(const Run& run, const std::vector<PublishedFigure>& published);

// Of one base, by ARM/PROBE/NAME, each with its arm.
using FiguresByRecord = std::map<std::string, std::pair<const ArmFigures*, const Figure*>>;
FiguresByRecord by_record(const BaseFigures& base);

// What of a published figure is compared: how far it falls from the one that it is below, or itself.
double compared_value(const PublishedFigure& figure, const std::vector<PublishedFigure>& published);

// ln(khost / published) of the means of one base, of a loss that falls from another ln of the ratio of the falls; NaN where there
// is no such figure, or no logarithm.
double log_ratio(const PublishedFigure& figure, const std::vector<PublishedFigure>& published, const FiguresByRecord& of);

// "5.552 .. 6.048", or "no spread"; "" of fewer than two values, or where the mean is not finite.
std::string interval_text(const Interval& interval, const NumberStyle& style);

// As summary.json has it: {"mean", "low", "high"}, or null.
Json band_json(const std::optional<Band>& band);

// Published figures that no figure of the run carries.
std::vector<const PublishedFigure*> unmatched(const std::vector<BaseFigures>& bases,
                                              const std::vector<PublishedFigure>& published);

struct TrialCounts {
  int run = 0, reused = 0, failed = 0, unfinished = 0;
};
TrialCounts count_trials(const Run& run);
std::string text_of(const TrialCounts& counts);  // "100 trials: 40 run, 60 from the cache"

std::string text_of(const Environment& environment);  // "openblas (OpenBLAS 0.3.21, SkylakeX), 1 job of 2 threads, CPU"

// Notes of published figures, numbered in the order in which they are asked for.
class Footnotes {
 public:
  std::string mark(const PublishedFigure& figure);  // "[1]", or "" when it has no note
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::vector<std::string> notes_;
};

}  // namespace khost
