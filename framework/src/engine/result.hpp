// What a trial leaves behind.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "khost/state.hpp"
#include "plan/keys.hpp"

namespace khost {

struct Record {
  std::string probe;       // instance: "snr"; the engine's own: "loss", "parameters"
  std::string name;        // "drift/0"
  std::int64_t step = -1;  // -1: one per trial; else from 0
  double value = 0;        // NaN: missing
  std::string unit;        // "nats", "1", "parameters"
};
inline void state_of(State& s, std::vector<Record>& records) {
  std::uint64_t n = records.size();
  s(n);
  if (s.reading()) records.assign(n, {});
  for (Record& r : records) s(r.probe, r.name, r.step, r.value, r.unit);
}

// A file that a trial left in its folder.
struct Artifact {
  std::string file;    // its name there
  std::string sha256;  // of what was written
  bool operator==(const Artifact&) const = default;
};

struct TrialResult {
  TrialKey key;
  std::string hash;
  std::string status;                     // "done" | "failed"
  std::string message;                    // why it failed
  double seconds = 0;                     // of the run that made it
  bool reused = false;                    // from the cache
  std::int64_t adapter_parameters = 0;    // sum over matrices of K (m + n)
  std::int64_t trainable_parameters = 0;  // what the optimizer updates
  std::vector<Record> records;
  std::vector<Artifact> artifacts;
};

}  // namespace khost
