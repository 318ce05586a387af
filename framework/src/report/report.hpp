// What a run answers with: a table on the terminal, summary.json, records.csv, report.md.
//
// Statistics are over a base's and arm's trials (draws and seeds). A failed trial counts as missing in every figure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/result.hpp"
#include "stats/claims.hpp"

namespace khost {

// What a record is, as its probe declares it (Signals::Emit): shown in report.md.
struct Definition {
  std::string probe;  // as in Record: "snr"
  std::string name;   // "drift/<group>"; a part in <> stands for any text without '/'
  std::string unit, doc;
  std::string null;           // what its null is, or why it has none; "" when its probe does not say
  std::string instance = {};  // the probe's name, where the record stands beside it
};

// A base, as a run names what it stands on.
struct BaseMade {
  std::string name;
  std::int64_t draw = 0;
  std::string hash;       // of its identity
  std::string how;        // "57 steps, calibration loss 7.83", "cached in ...", or the file that it is
  std::string file_hash;  // SHA-256 of that file's content; "" for a base that was made
};

struct Run {
  std::string experiment, title, hash, folder;
  Environment environment;
  std::vector<TrialResult> trials;              // in plan order
  std::vector<Definition> definitions;          // of the probes' records; the engine's own need none
  std::map<std::string, NullDraws> nulls = {};  // by arm
  std::vector<JudgedClaim> claims = {};
  Environment artifacts = {};  // what bases were made with
  std::vector<BaseMade> bases = {};
};

// One published figure tied to a record: share/published/<name>.json.
struct PublishedFigure {
  std::string record;  // without base: "K32/snr/drift/0"
  double value = 0;
  std::string printed;  // as its source prints it: "4.800"
  std::string where;    // "paper 85, phase A"
  std::string note;     // what a reader must know beside it; "" mostly
};
// One that no record measures: a difference of two records, a bound, a rule.
struct FigureWithoutRecord {
  std::string figure, where, why;
};
struct Published {
  std::vector<PublishedFigure> figures;
  std::vector<FigureWithoutRecord> without_record;
};
// {} when name is "". Throws a usage Error when the file is not there (with the folders searched and the names there are) or is
// wrong.
Published read_published(const std::string& name);

// The table: per base and arm, figure, mean over trials, 95 % t interval, n, published; then notes and failed trials. No line is
// wider than `width` (at least 60). Details are left out unless published: figures of single layers ("name/layer3"), and all of a
// probe that has more than two dozen. Published figures without a record are counted. Below it: what is NaN or infinite, in how
// many trials, and where that began.
std::string figure_table(const Run& run, const Published& published, int width);

// The run's claims as summary.json has them: a list, each claim on each base with the whole reasoning of its verdict.
Json claims_json(const Run& run);

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
void write_summary(const std::string& path, const Run& run, const Published& published);

// RFC 4180; header base,arm,draw,seed,probe,name,step,value,unit. Every record of every finished trial, by base, arm, draw and
// seed; a missing value (NaN) is empty, an infinite one "inf" or "-inf". Two identical runs give the same bytes.
void write_records_csv(const std::string& path, const Run& run);

// The table in Markdown, with every figure, the published ones without a record, the environment and the definitions.
void write_report_md(const std::string& path, const Run& run, const Published& published);

}  // namespace khost
