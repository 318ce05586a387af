// What a trial leaves behind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plan/keys.hpp"

namespace khost {

struct Record {
  std::string probe;       // instance: "snr"; the engine's own: "loss", "parameters"
  std::string name;        // "drift/0"
  std::int64_t step = -1;  // -1: one per trial; else from 0
  double value = 0;        // NaN: missing
  std::string unit;        // "nats", "1", "parameters"
};

// Where a probe's declared or made name stands: "drift/0" of instance snr under snr; "/grad/mean/0", beside it, under grad.
struct RecordName {
  std::string probe, name;
};
RecordName record_name(std::string_view instance, std::string_view name);

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
  std::vector<std::string> artifacts;  // file names in the trial's folder
};

}  // namespace khost
