// The records of a run that somebody asks for by name, as `khost show` prints them and `khost export` hands them out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "report/report.hpp"

namespace khost {

struct RecordChoice {
  // With * for any run of characters; it names a record by its path, BASE/ARM/PROBE/NAME, from any of its parts on ("K64/snr/*",
  // "loss/final"), or all below a part ("snr", "K64/loss"). "": all.
  std::string pattern;
  std::optional<std::string> base, arm;
  std::optional<std::uint64_t> seed = {};
  std::optional<std::int64_t> draw = {};  // of the base

  bool takes(const TrialKey& trial) const;
  bool takes(const std::string& path) const;
};

struct ChosenRecord {
  struct OfTrial {
    std::int64_t draw;
    std::uint64_t seed;
    std::optional<double> whole = {};                          // of the whole trial
    std::vector<std::pair<std::int64_t, double>> points = {};  // step and value, by rising step
  };
  std::string base, arm, probe, name, unit;
  std::vector<OfTrial> trials;  // finished ones that have it, by draw and seed

  std::string path() const { return base + "/" + arm + "/" + probe + "/" + name; }
  bool has_whole() const;
  bool has_steps() const;
};

// Throws a usage Error, with the nearest that there is, for a base, arm, draw or seed that no trial of the run has.
void check_trials(const Run& run, const RecordChoice& choice);

// All of them, a trial after the other in the order of records.csv: those of one trial name by name as it made them, by rising
// step. `run` is the reader's; what `visit` is given is valid for that call. Throws as check_trials() does, and for a pattern
// that names nothing.
void each_chosen(const RunReader& reader, const Run& run, const RecordChoice& choice,
                 const std::function<void(const TrialResult& trial, const Record& record)>& visit);

// The same gathered by base, arm and name.
std::vector<ChosenRecord> choose_records(const RunReader& reader, const Run& run, const RecordChoice& choice);

// A table: a record a line with mean, 95 % t interval and n over its trials, what noise gives and the published figure; and for
// one that has steps a table of them, thinned to what a screen takes. `by_seed`: each trial's value instead of their mean.
std::string records_text(const std::vector<ChosenRecord>& records, const Run& run, const Published& published, bool by_seed,
                         std::size_t width);

// As records.csv has them, in lines that end in "\n".
std::string records_csv(const std::vector<ChosenRecord>& records);

// A list of {"record", "unit", "trials": [{"draw", "seed", "value", "steps": [...], "values": [...]}]}, without "value" or
// without steps where there are none; numbers as in summary.json.
Json records_json(const std::vector<ChosenRecord>& records);

}  // namespace khost
