#include "session.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compute/cpu_quota.hpp"
#include "compute/process.hpp"
#include "engine/rehearsal.hpp"

namespace khost {

void SessionOptions::declare(Command& command) {
  command.argument("MANIFEST", manifest, "the experiment's manifest");
  command.option("set", "KEY=VALUE", set, "change a key of the manifest: adapter.rank=16; may be repeated");
  command.option("seeds", "N", seeds, {1, 100000}, "how many seeds, from 0");
  command.option("backend", "NAME", backend, "the compute backend; `khost list` shows them");
  command.option("threads", "N", threads, {1, 1024}, "threads of each trial");
  command.option("jobs", "N", jobs, {1, 1024}, "trials at a time");
}

std::vector<Setting> settings_of(const SessionOptions& options) {
  std::vector<Setting> settings;
  for (const std::string& text : options.set) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      throw Error(ErrorKind::usage, "--set takes KEY=VALUE, found '" + text + "'").hint("for example: --set steps=10");
    settings.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  if (options.seeds) settings.push_back({"seeds", std::to_string(*options.seeds)});
  return settings;
}

namespace {

std::string counted(int n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

// What a run's environment is worth a word of, said when it runs and kept in its summary and report.
std::vector<std::string> notes_of(const Environment& e, int processors, const std::string& doubt) {
  std::vector<std::string> notes;
  if (!doubt.empty()) notes.push_back(doubt);
  for (const Trouble& trouble : process_troubles()) notes.push_back(trouble.what + "; " + trouble.mend);
  if (e.threads * e.jobs > processors)
    notes.push_back(fmt::format("{} with {} each on {} to use: each trial waits for the others, and takes longer",
                                counted(e.jobs, "trial"), counted(e.threads, "thread"), counted(processors, "processor")));
  if (e.library_threads && e.library_threads != e.threads)
    notes.push_back(fmt::format("{} uses {} of the {} of a trial", e.library, counted(e.library_threads, "thread"),
                                counted(e.threads, "thread")));
  if (!e.library_threads) notes.push_back(e.library + " does not say how many threads it uses");
  return notes;
}

}  // namespace

Session::Session(const SessionOptions& options, Cache::Announce heard)
    : announce(std::move(heard)), cache(Cache::default_root(), [this](std::string_view what) {
        if (announce) announce(what);
      }) {
  LoadedExperiment loaded = read_experiment(options.manifest, settings_of(options));
  experiment = std::move(loaded.experiment);
  registry = std::move(loaded.registry);

  refuse_process(process_troubles());
  const int processors = available_processors();
  std::size_t trials = 0;  // at least so many: a base may have several draws
  for (const Arm& arm : experiment.arms)
    trials +=
        experiment.bases.size() * std::min(experiment.seeds.size(), static_cast<std::size_t>(arm.seeds.value_or(1'000'000)));
  jobs = options.jobs.value_or(std::max(1, processors / options.threads.value_or(1)));
  jobs = std::max(1, std::min(jobs, static_cast<int>(std::min<std::size_t>(trials, 1024))));
  threads = options.threads.value_or(std::max(1, processors / jobs));
  std::string doubt;
  backend = choose_backend(*registry, options.backend, experiment.compute, &doubt);
  try {
    environment = environment_of(backend.make(threads)->info(), threads, jobs);
  } catch (Error& e) {
    if (options.backend)
      e.within("--backend " + *options.backend);
    else if (experiment.compute)
      e.within("compute at " + experiment.compute->place.text());
    throw;
  }
  artifact_backend = choose_backend(*registry, backend_of_artifacts, {});
  artifact_threads = processors;
  artifact_environment = environment_of(artifact_backend.make(artifact_threads)->info(), artifact_threads, 1);

  refuse_process(process_troubles());  // what the backends brought
  environment.notes = notes_of(environment, processors, doubt);

  materials = std::make_unique<Materials>(experiment, *registry, cache, artifact_threads);
  const MemoryLimit limit = memory_limit();
  memory = memory_need(experiment, *materials);
  expect_to_fit(memory, limit);  // one trial at a time
  plan = make_plan(experiment, *materials, environment, artifact_environment);
  memory.trials = jobs;
  expect_to_fit(memory, limit);
  rehearse(experiment, *materials, plan);
}

}  // namespace khost
