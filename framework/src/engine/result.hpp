// What a trial leaves behind.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "khost/state.hpp"
#include "plan/keys.hpp"

namespace khost {

// One figure, wherever it stands alone: a line of records.csv.
struct Record {
  std::string probe;       // instance: "snr"; the engine's own: "loss", "parameters"
  std::string name;        // "drift/0"
  std::int64_t step = -1;  // -1: one per trial; else from 0
  double value = 0;        // NaN: missing
  std::string unit;        // "nats", "1", "parameters"
};

struct Point {
  std::int64_t step;  // as of a Record
  double value;
};

// The records of one name.
struct RecordSeries {
  std::string probe, name, unit;
  std::vector<Point> points = {};  // by rising step

  std::string label() const { return probe + "/" + name; }
  bool has_whole() const { return !points.empty() && points.front().step < 0; }  // one per trial
  double whole() const { return points.front().value; }                          // where it has one
  bool add(std::int64_t step, double value);                                     // false: it has one of that step
  void state(State& s) { s(probe, name, unit, points); }
};

// A trial's records while it makes them, in the order of their names' first.
class SeriesSet {
 public:
  std::size_t index(const std::string& probe, const std::string& name, const std::string& unit);
  RecordSeries& operator[](std::size_t i) { return all_[i]; }
  const std::vector<RecordSeries>& all() const { return all_; }
  std::vector<RecordSeries> take() { return std::move(all_); }
  void state(State& s);

 private:
  std::vector<RecordSeries> all_;
  std::map<std::pair<std::string, std::string>, std::size_t> index_;
};

// A file that a trial left in its folder.
struct Artifact {
  std::string file;    // its name there
  std::string sha256;  // of what was written
  bool operator==(const Artifact&) const = default;
  void state(State& s) { s(file, sha256); }
};

struct TrialResult {
  TrialKey key;
  std::string hash;
  std::string status;                     // "done" | "failed"
  std::string message;                    // why it failed; of one that is done, what this run remarks on it
  double seconds = 0;                     // of the run that made it
  bool reused = false;                    // from the cache
  std::int64_t adapter_parameters = 0;    // sum over matrices of K (m + n)
  std::int64_t trainable_parameters = 0;  // what the optimizer updates
  std::vector<RecordSeries> series;       // in the order in which it made them

  void add(const Record& record);                          // whose step it does not have yet
  const RecordSeries* find(std::string_view label) const;  // "snr/drift/0"; null: it has none
  std::vector<Artifact> artifacts;

  void state(State& s) {
    s(key.arm, key.base, key.draw, key.seed, hash, status, message, seconds, reused, adapter_parameters, trainable_parameters,
      series, artifacts);
  }
};

}  // namespace khost
