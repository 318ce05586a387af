// From a manifest and a few choices to a complete plan: what running and planning share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifact/cache.hpp"
#include "engine/backends.hpp"
#include "engine/memory_need.hpp"
#include "manifest/experiment.hpp"
#include "plan/plan.hpp"
#include "run/listener.hpp"

namespace khost {

enum class Workers { threads, processes };

struct SessionOptions {
  std::string manifest;
  std::vector<std::string> set;  // "steps=10"
  std::optional<int> seeds, threads, jobs;
  std::optional<std::string> backend;
  bool fresh = false;                   // trials of the cache are computed anew, and replaced
  std::string command = {};             // as it was typed: run.db keeps it
  double checkpoint_period = 30;        // seconds
  std::string cache = {};               // its folder; "": as the environment says (Cache::default_root())
  std::optional<Workers> workers = {};  // what trials run in; without: processes, where they are long enough for it
  std::int64_t silence = 1800;          // seconds without a step after which a worker process is ended
  std::string resolved = {};            // of a worker process: the manifest that another one read, checked and rehearsed
};

// What --set and --seeds change in the manifest.
std::vector<Setting> settings_of(const SessionOptions& options);

struct Session {
  // The listener, which outlives it, hears of what is made. Throws a usage or plugin Error for what cannot be run.
  Session(const SessionOptions& options, RunListener& listener);
  Session(const Session&) = delete;

  RunListener& listener;
  const SessionOptions options;  // as it was asked for
  Experiment experiment;
  std::shared_ptr<Registry> registry;
  Cache cache;
  int jobs = 1, threads = 1;  // trials at a time, threads of each
  Workers workers = Workers::threads;
  std::string idle;  // what to say of processors that no trial uses; "" mostly
  BackendChoice backend, artifact_backend;
  int artifact_threads = 1;
  Environment environment, artifact_environment;
  std::unique_ptr<Materials> materials;
  Plan plan;
  MemoryNeed memory;

 private:
  void share_processors(int processors);
};

}  // namespace khost
