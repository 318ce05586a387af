// What `run` and `plan` share: from a manifest and the command line to a complete plan.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifact/cache.hpp"
#include "command_line.hpp"
#include "engine/backends.hpp"
#include "engine/memory_need.hpp"
#include "manifest/experiment.hpp"
#include "plan/plan.hpp"

namespace khost {

struct SessionOptions {
  std::string manifest;
  std::vector<std::string> set;  // "steps=10"
  std::optional<int> seeds, threads, jobs;
  std::optional<std::string> backend;
  bool fresh = false;  // trials of the cache are computed anew, and replaced

  void declare(Command& command);
};

// What --set and --seeds change in the manifest.
std::vector<Setting> settings_of(const SessionOptions& options);

struct Session {
  Session(const SessionOptions& options, Cache::Announce announce);
  Session(const Session&) = delete;  // the cache announces through it

  Cache::Announce announce;  // who hears of what is being made; may be changed
  Experiment experiment;
  std::shared_ptr<Registry> registry;
  Cache cache;
  int jobs = 1, threads = 1;  // trials at a time, threads of each
  std::string idle;           // what to say of processors that no trial uses; "" mostly
  bool fresh = false;         // as in SessionOptions
  BackendChoice backend, artifact_backend;
  int artifact_threads = 1;
  Environment environment, artifact_environment;
  std::unique_ptr<Materials> materials;
  Plan plan;
  MemoryNeed memory;

 private:
  void share_processors(const SessionOptions& options, int processors);
};

}  // namespace khost
