// A run of all that has a state.
#pragma once

#include <string>

#include "e2e/khost_program.hpp"

namespace khost::test {

// A trained base, cores and adapters of each sort, trained matrices, policies, probes, fresh batches.
inline std::string everything(const Khost& khost) {
  const std::string path = khost.scratch / "everything.manifest";
  write(path, R"({
  "khost": 1, "experiment": "everything", "seeds": 2, "steps": 40,
  "data": {"plugin": "synthetic", "vocab": 101, "sequence": 15, "batch": 2, "reuse": "fresh"},
  "model": {"plugin": "gpt", "d_model": 24, "n_layer": 2, "n_head": 3},
  "adapter": {"rank": 8},
  "bases": {"trained": {"train": ["*"], "steps": 60, "data": {"batch": 4}, "optimizer": {"plugin": "adam", "lr": 1e-3}}},
  "arms": {
    "probed": {"probes": [
      {"plugin": "effective_rank"}, {"plugin": "gradient_cosine"}, {"plugin": "snr", "groups": [[0, 2], [2, "K"]]},
      {"plugin": "coverage", "ranks": [2, 4], "steps": [1, 20, 40]}, {"plugin": "true_effective_rank", "steps": [1, 20, 40]},
      {"plugin": "trace"}, {"plugin": "ablation", "keep": [8, 4]}, {"plugin": "displacement"}]},
    "dropped": {"probes": [{"plugin": "alpha_dropout", "rate": 0.3}], "record_at": [10, 30]},
    "scheduled": {"probes": [{"plugin": "k_schedule", "ranks": [2, 4, 8], "at": [0.3, 0.6]}]},
    "block": {"adapter": {"core": "block", "rank": 4}},
    "factors": {"adapter": {"core": "factors", "rank": 4}},
    "lora": {"adapter": {"plugin": "lora", "rank": 4, "alpha": 8}},
    "dora": {"adapter": {"plugin": "dora", "rank": 4, "alpha": 8}},
    "full": {"adapter": null, "train": ["@matrices"], "optimizer": {"plugin": "sgd", "lr": 0.1}, "probes": [{"plugin": "weight_rank"}]},
    "adaptive": {"needs": "probed", "probes": [{"plugin": "adaptive_k", "from": "probed/effective_rank", "c": 0.62, "assign": "er"}]},
    "lion": {"optimizer": {"plugin": "lion", "lr": 1e-3}}
  }})");
  return path;
}

}  // namespace khost::test
