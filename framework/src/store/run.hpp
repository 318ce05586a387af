// A run as it is kept and shown: what its folder's run.db holds, and every report is made from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/result.hpp"
#include "khost/json.hpp"
#include "stats/summary.hpp"

namespace khost {

// What a record is, as its probe declares it (Signals::Emit): shown in report.html.
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

// A plugin that it loaded.
struct PluginUsed {
  std::string kind, name, path;
  std::string content;  // hash of what was loaded (plugin/content.hpp)
};

struct Run {
  std::string experiment, title, hash;
  std::string folder = {};     // as it was given; "" where nobody said
  std::string published = {};  // its figures: names in share/published, "paper84, paper85", or ""
  Environment environment = {};
  std::vector<TrialResult> trials = {};      // in plan order
  std::vector<Definition> definitions = {};  // of the probes' records; the engine's own need none
  // By base and arm, then by record ("snr/drift/0"): of single trials.
  std::map<std::pair<std::string, std::string>, std::map<std::string, Band>> nulls = {};
  Json claims = Json(Json::List());  // as summary.json has them
  Environment artifacts = {};        // what bases were made with
  std::vector<BaseMade> bases = {};
  std::vector<PluginUsed> plugins = {};
  std::string command = {}, manifest = {};  // the command line; the resolved manifest, as JSON
  std::string started = {}, finished = {};  // UTC; `finished` is "" of a run that goes on, or was broken off
};

}  // namespace khost
