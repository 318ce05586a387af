// Two runs side by side: which trials answer to which, what the runs were made with, and whether their records and verdicts are
// the same. docs/compare.md defines every word of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stats/summary.hpp"
#include "store/run_reader.hpp"

namespace khost {

// Two values are the same when they are no further apart than absolute + relative x size.
struct Tolerance {
  // The bound of tests/e2e/golden_test.cpp: docs/decisions/0021-compare.md says what backends make of it.
  double relative = 1e-4, absolute = 0;

  bool takes(double difference, double size) const;  // false for what is not finite
  std::string text() const;                          // "rtol 1e-4", "rtol 1e-4, atol 1e-9"
};

struct CompareOptions {
  Tolerance tolerance;
  std::map<std::string, std::string> arms = {};  // of the first run -> of the second; others by their own name
};

// Something that is one way in the first run and another in the second; "" where that one has no such thing.
struct Contrast {
  std::string what, first, second;
  int places = 1;  // that differ in just this way
};

// one_sided: no trial has it on both sides.
enum class Sameness { identical, same, differs, one_sided };

// One record of the paired trials of a base and arm.
struct ComparedRecord {
  std::string base, arm;  // "K32=K64" where other names are paired
  std::string probe, name, unit;
  bool by_step = false;  // its points by step, else its value of the whole trial

  Sameness sameness = Sameness::one_sided;

  // Where something is: of a value of the whole trial the step is -1.
  struct At {
    std::int64_t draw = 0;
    std::uint64_t seed = 0;
    std::int64_t step = -1;
  };
  Interval difference;           // second - first by trial, of a series of its means over the steps: mean, 95 % t interval
  double spread = 0;             // sd of the first run's values over these trials; NaN of fewer than two
  double largest_by_spread = 0;  // the largest of these differences in such sds; NaN without a spread
  double relative = 0;           // the largest |difference| / size of all points; infinite where one is not finite
  double first = 0, second = 0;  // of the largest |difference| of all points
  At largest;                    // its place
  std::int64_t points = 0, identical = 0, outside = 0;  // that both have; bit for bit; beyond the tolerance
  std::int64_t only_first = 0, only_second = 0;         // points that only one of two paired trials has
  std::optional<At> first_outside;                      // of a series: the least step, and there the first trial

  std::string path() const { return base + "/" + arm + "/" + probe + "/" + name; }
  bool is_partial() const { return only_first + only_second > 0; }
};

// One claim on one base; null on the side that does not have it.
struct ComparedClaim {
  std::string id, base;
  Json first, second;

  bool in_both() const { return first.is_object() && second.is_object(); }
  bool is_changed() const;        // the verdict, or what it would be
  bool is_another_claim() const;  // its words are others: measure, prediction, margin
};

// What one of the two runs is.
struct ComparedRun {
  std::string folder, experiment, hash, khost, environment;
  std::vector<std::string> unpaired = {};    // bases, arms and trials that only this one has
  std::vector<std::string> unfinished = {};  // trials that the other has too, waiting, running or failed
  int unpaired_trials = 0, unfinished_trials = 0;
};

struct Comparison {
  Tolerance tolerance;
  ComparedRun first, second;
  std::vector<std::string> notes;  // that a reader has to know before the figures
  int pairs = 0, same_hash = 0;    // finished on both sides; of these the same trial
  std::vector<ComparedClaim> claims;
  std::vector<Contrast> manifest, arms, environment;
  std::vector<ComparedRecord> records;  // those that differ most first

  enum class Answer { identical, same, partly, differs, nothing };
  Answer answer() const;
  int count(Sameness sameness) const;
  int compared() const;  // records that both have
  int changed_verdicts() const;
  bool is_whole() const;  // whatever one has, the other has too
};

// Throws a usage Error where `arms` names what is not there.
Comparison compare_runs(const RunReader& first, const RunReader& second, const CompareOptions& options);

const char* answer_name(Comparison::Answer answer);  // "identical", "same", "partly", "differs", "nothing"

// The answer in one line, whatever its length.
std::string answer_text(const Comparison& comparison);
// All that fits on some screens, no line wider than `width` (but at least 80); without the answer's line.
std::string comparison_text(const Comparison& comparison, std::size_t width);
// All of it.
Json comparison_json(const Comparison& comparison);
// All of it as one page that needs nothing else.
std::string comparison_page(const std::vector<Comparison>& comparisons);

}  // namespace khost
