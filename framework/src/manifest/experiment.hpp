// What a manifest describes, after overlays, defaults and validation: everything resolved, nothing implied.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "khost/json.hpp"
#include "khost/part.hpp"
#include "manifest/keys.hpp"
#include "plugin/registry.hpp"

namespace khost {

// A plugin instance: {"plugin": "adam", "as": ..., KEYS}.
struct Component {
  std::string plugin;  // "alpha_dropout"
  std::string name;    // its "as", else the plugin's name: what records and random streams are called by
  Json config;         // resolved by the plugin's schema (without "plugin", "as", "arms")
  Place place;
};

// Below, what an object's keys come to: those that are used as they are written are inherited, and where a key is used in another
// form the member of that form hides what was written.

struct DataSpec : DataKeys {
  Component source;
  bool fresh = false;  // `reuse` is "fresh": a new batch each step

  std::int64_t windows(Part part) const { return part == Part::calibration ? calibration_windows : held_out_windows; }
};

// K of the matrices whose names fit a pattern. The last rule that fits a matrix decides.
struct RankRule {
  std::string pattern;    // with * for any run of characters; "*" for the default
  std::int64_t rank = 0;  // 0: no adapter there
  Place place;
};

struct AdapterSpec : AdapterKeys {
  std::vector<RankRule> ranks{{"*", 32, {}}};  // of `rank`
  std::string core;                            // the plugin's name
  Component component;  // of kind core; or where it is `written` in operations, and `basis` is "", of kind adapter
  bool written = false;
};

// A recipe, or a safetensors file; then all but `file` is unused.
struct BaseRecipe : BaseKeys {
  std::string name;
  Component model;  // whose tensors are drawn; the experiment's unless it is patched
  DataSpec data;    // experiment's data with this base's "corpus", "batch", "data": {...}; fresh unless it says so
  Component optimizer;
  std::int64_t steps = 0;            // exactly; with `until_loss`: at most
  std::optional<double> until_loss;  // stop when the loss on the calibration part of the *experiment's* data is at or below
  std::optional<std::int64_t> expected_steps;  // with `until_loss`, for the plan alone
  Place place, train_place;
};

// Arm::key() of the form that a base has of an arm.
std::string key_of_form(const std::string& base, const std::string& arm);

struct Arm : ArmKeys {  // `steps` are not set where a budget decides
  std::string name;
  std::string on;                      // the base that has this arm in a form of its own; "": all bases but those `elsewhere`
  std::vector<std::string> elsewhere;  // bases that have it in a form of their own
  Component model;                     // the experiment's, or a patch on it: tensors that the base does not have are drawn
  DataSpec data;
  Component optimizer;
  std::optional<AdapterSpec> adapter;
  std::vector<std::string> needs;  // arms whose records its policies read
  std::vector<Component> probes;   // this arm's, in order; policies too
  Place place;
  std::vector<std::pair<std::string, Place>> places;  // of its keys, as written

  bool reads_calibration = false;  // a probe evaluates on it

  bool runs_on(const std::string& base) const;
  std::string key() const;  // forms of one arm differ in it

  std::vector<Part> reads() const {
    std::vector<Part> parts{Part::train};
    if (data.held_out_windows > 0) parts.push_back(Part::held_out);
    if (reads_calibration) parts.push_back(Part::calibration);
    return parts;
  }
  const Place& place_of(std::string_view key) const {
    for (const auto& [written, at] : places)
      if (written == key) return at;
    return place;
  }
};

// A name of a measure and its records' paths: one, "K64/snr/drift/1" or "@trained/K64/loss/final", or a list, which a measure's
// functions of many (mean, argmin, pearson, min, max) take in its order.
struct Let {
  std::string name;
  std::vector<std::string> paths;
  std::vector<std::string> least = {};  // as many: the run takes the one path whose record here has the least mean over seeds
};

struct Claim : ClaimKeys {
  std::vector<Let> let;
  std::vector<std::string> paths() const;  // all that it reads
  std::string unit;                        // of the measure, and so of what it predicts and of its margin: "nats", "1"
  Json source;                             // the claim as written
  Place place;
};

struct Experiment : ManifestKeys {
  std::string manifest_path, folder;  // of the manifest
  std::vector<std::uint64_t> seeds;   // 0 .. N-1
  std::optional<Component> compute;   // manifest's backend, if it names one
  Component model;
  DataSpec data;
  std::vector<BaseRecipe> bases;
  std::vector<Arm> arms;
  std::vector<Claim> claims;
  Json resolved;  // the whole manifest with every default filled in
  std::vector<std::string> warnings;

  std::vector<const Arm*> arms_on(const std::string& base) const;  // of each arm the form that it has there, in order
  const Arm& arm_on(const std::string& base, const std::string& called) const;  // there is one: the manifest was checked
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
// From what Experiment::resolved says, whatever has become of the file since.
LoadedExperiment read_resolved(const std::string& resolved, const std::string& manifest_path);

}  // namespace khost
