// What a manifest describes, after overlays, defaults and validation: everything resolved, nothing implied.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "khost/json.hpp"
#include "plugin/registry.hpp"

namespace khost {

// A plugin instance: {"plugin": "adam", "as": ..., KEYS}.
struct Component {
  std::string plugin;  // "alpha_dropout"
  std::string name;    // its "as", else the plugin's name: what records and random streams are called by
  Json config;         // resolved by the plugin's schema (without "plugin", "as", "arms")
  Place place;
};

// The keys sequence, batch, reuse, held_out_windows and calibration_windows are the host's; the others are the plugin's.
struct DataSpec {
  Component source;
  std::int64_t sequence = 127;
  std::int64_t batch = 1;
  bool fresh = false;                  // "reuse": "fresh" draws a new batch each step; "fixed" (default) keeps one
  std::int64_t held_out_windows = 16;  // windows of the held-out part on which held-out losses are measured
  std::int64_t calibration_windows = 16;
};

// K of the matrices whose names fit a pattern. The last rule that fits a matrix decides.
struct RankRule {
  std::string pattern;    // with * for any run of characters; "*" for the default
  std::int64_t rank = 0;  // 0: no adapter there
  Place place;
};

struct AdapterSpec {
  std::string basis = "svd";      // svd | random | gradient
  std::string core = "diagonal";  // diagonal | block | factors
  std::vector<RankRule> ranks{{"*", 32, {}}};
  Json rank = 32;  // as written: K, or {"default": K, PATTERN: K}

  static void fields(auto& f) {
    f("basis", &AdapterSpec::basis)
        .choices({"svd", "random", "gradient"})
        .doc("where U and V of dW = U diag(alpha) V' come from; gradient: the SVD of the first step's weight gradient");
    f("core", &AdapterSpec::core)
        .choices({"diagonal", "block", "factors"})
        .doc("what is trained: alpha, a K x K block between U and V, or U, alpha and V");
    f("rank", &AdapterSpec::rank).doc("K, the number of dims per matrix; or {\"default\": 32, \"layer.*.mlp.*\": 48}");
  }
};

struct BaseRecipe {
  std::string name;
  std::string file;                // a safetensors file instead of a recipe; then the rest is unused
  std::vector<std::string> train;  // name patterns with *: "*" all, "@matrices" the adaptable ones
  DataSpec data;                   // experiment's data with this base's "corpus", "batch", "data": {...}; fresh unless it says so
  Component optimizer;
  std::int64_t steps = 0;            // exactly; with `until_loss`: at most
  std::optional<double> until_loss;  // stop when the loss on the calibration part of the *experiment's* data is at or below
  std::optional<std::int64_t> expected_steps;  // with `until_loss`, for the plan alone
  std::uint64_t base_seed = 0;
  std::int64_t base_draws = 1;
  Place place, train_place;
};

struct Arm {
  std::string name;
  Component model;  // the experiment's, or a patch on it: tensors that the base does not have are drawn
  DataSpec data;
  Component optimizer;
  std::optional<AdapterSpec> adapter;
  std::vector<std::string> train;       // tensors trained beside the adapter: name patterns as in BaseRecipe
  std::int64_t steps = 40;              // unless a budget decides
  std::optional<std::int64_t> budget;   // steps x adapter parameters: steps = floor(budget / parameters)
  std::vector<std::int64_t> record_at;  // losses are recorded after so many steps too
  std::optional<std::int64_t> seeds;    // only the experiment's first so many
  std::vector<std::string> needs;       // arms whose records its policies read
  std::vector<Component> probes;        // this arm's, in order; policies too
  Place place;
  std::vector<std::pair<std::string, Place>> places;  // of its keys, as written

  const Place& place_of(std::string_view key) const {
    for (const auto& [written, at] : places)
      if (written == key) return at;
    return place;
  }
};

struct Claim {
  std::string id, statement, measure, predicts, scale;  // scale: "linear" | "log"
  // name -> record paths: one, "K64/snr/drift/1" or "@trained/K64/loss/final", or a list, which a measure's functions of many
  // (mean, argmin, pearson, min, max) take in its order
  std::vector<std::pair<std::string, std::vector<std::string>>> let;
  double margin = 0;
  std::string unit;  // of the measure, and so of what it predicts and of its margin: "nats", "1"
  Json published;
  Json source;  // the claim as written
  Place place;
};

struct Experiment {
  std::string name, title, published, note;
  std::string manifest_path, folder;  // of the manifest
  std::vector<std::string> plugin_path;
  std::vector<std::uint64_t> seeds;  // 0 .. N-1
  std::optional<Component> compute;  // manifest's backend, if it names one
  Component model;
  DataSpec data;
  std::vector<BaseRecipe> bases;
  std::vector<Arm> arms;
  std::vector<Claim> claims;
  Json resolved;  // the whole manifest with every default filled in
  std::vector<std::string> warnings;
};

// `--set a.b=v` and friends, applied to the manifest before anything else; the value is JSON, or else a string.
struct Setting {
  std::string path, value;
};

// Reads, overlays, validates. Throws a usage Error with file, line, column, what is allowed and the nearest name; a plugin Error
// when a plugin it names cannot be had.
struct LoadedExperiment {
  Experiment experiment;
  std::shared_ptr<Registry> registry;
};
LoadedExperiment read_experiment(const std::string& manifest_path, const std::vector<Setting>& settings);

}  // namespace khost
