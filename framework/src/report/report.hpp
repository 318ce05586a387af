// What a run answers with: a table on the terminal, summary.json, records.csv, report.md; report.html is made in page/.
//
// Statistics are over a base's and arm's trials (draws and seeds). A failed trial counts as missing in every figure.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "stats/claims.hpp"
#include "store/run.hpp"
#include "store/run_reader.hpp"

namespace khost {

struct BaseFigures;  // report/figures.hpp; below, `bases` are figures_of() the run and the published figures, gathered once

// One published figure tied to a record: share/published/<name>.json.
struct PublishedFigure {
  std::string record;  // without base: "K32/snr/drift/0"
  double value = 0;
  std::string printed;     // as its source prints it: "4.800"
  std::string where;       // "paper 85, phase A"
  std::string note;        // what a reader must know beside it; "" mostly
  std::string below = {};  // of a loss: the record, of the same file, that its paper has it fall from; "" of others
};
// One that no record measures: a difference of two records, a bound, a rule.
struct FigureWithoutRecord {
  std::string figure, where, why;
};
struct Published {
  std::vector<PublishedFigure> figures;
  std::vector<FigureWithoutRecord> without_record;
};
// Of several names, "paper84, paper85", all figures; a record's in the first of them. {} when name is "". Throws a usage Error
// when the file is not there (with the folders searched and the names there are) or is wrong.
Published read_published(const std::string& name);

// The table: per base and arm, figure, mean over trials, 95 % t interval, n, published; then notes and failed trials. No line is
// wider than `width` (at least 60). Details are left out unless published: figures of single layers ("name/layer3"), and all of a
// probe that has more than two dozen. Published figures without a record are counted. Below it: what is NaN or infinite, in how
// many trials, and where that began.
std::string figure_table(const Run& run, const Published& published, int width);

// The table alone, without what else stands above and below it.
std::string main_figures(const Run& run, const Published& published, std::size_t width);

// Of the same table the figures whose path (BASE/ARM/PROBE/NAME) is wanted, details too.
std::string chosen_figures(const Run& run, const Published& published, std::size_t width,
                           const std::function<bool(const std::string& path)>& wants);

// Claims as run.db and summary.json have them: a list, each claim on each base with the whole reasoning of its verdict.
Json claims_json(const std::vector<JudgedClaim>& claims);

// Of such a list: each claim with what the paper says, and below it a line for each base: estimate, interval, what noise gives,
// verdict.
std::string claim_table(const Json& claims, std::size_t width);

// Of one claim on one base: measure by seed, interval, S, noise, family and level.
std::string claim_reasoning(const Json& claim, std::size_t width);

// A Markdown table of claims, one line a claim: `where` (the paper), statement, published, and for each base estimate, interval,
// noise and verdict.
std::string claim_markdown(const std::vector<std::pair<std::string, Json>>& claims_by_paper);

// design.md's summary.json. `values` has one entry per trial of the arm, in the order of (draw, seed). Missing values (NaN) are
// null, infinite ones "inf" and "-inf"; "not_finite" says of every record that has such values, by "BASE/ARM/PROBE/NAME nan" or
// "... inf", in how many trials and the first of them: {"trials", "of", "first": {"draw", "seed", "step"}}.
void write_summary(const std::string& path, const Run& run, const std::vector<BaseFigures>& bases, const Published& published);

// RFC 4180; header base,arm,draw,seed,probe,name,step,value,unit. Every record of every finished trial, by base, arm, draw and
// seed, name by name in the order in which the trial made them; a missing value (NaN) is empty, an infinite one "inf" or "-inf".
// Two identical runs give the same bytes.
void write_records_csv(const std::string& path, const std::vector<BaseFigures>& bases, const RunReader& reader);

// For reading as text: claims, published figures beside khost's, what went wrong, the environment. report.html has the rest.
void write_report_md(const std::string& path, const Run& run, const std::vector<BaseFigures>& bases, const Published& published);

}  // namespace khost
