#include "run/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "compute/cpu_quota.hpp"
#include "compute/process.hpp"
#include "engine/rehearsal.hpp"

namespace khost {

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

Session::Session(const SessionOptions& asked, RunListener& heard)
    : listener(heard),
      options(asked),
      cache(options.cache.empty() ? Cache::default_root() : options.cache,
            [this](std::string_view what) { listener.message(what); }) {
  const bool looked_at = !options.resolved.empty();  // by who sends it
  LoadedExperiment loaded =
      looked_at ? read_resolved(options.resolved, options.manifest) : read_experiment(options.manifest, settings_of(options));
  experiment = std::move(loaded.experiment);
  registry = std::move(loaded.registry);

  refuse_process(process_troubles());
  // A trial's number of threads is part of what it is, so it depends on nothing but the command line: not on how many trials
  // there are, nor on the machine.
  const int processors = available_processors();
  threads = options.threads.value_or(1);
  std::string doubt;
  backend = choose_backend(*registry, options.backend, experiment.compute, &doubt);
  try {
    environment = environment_of(backend.make(threads)->info(), threads, 1);
    environment.options = backend.options;
  } catch (Error& e) {
    if (options.backend)
      e.within("--backend " + *options.backend);
    else if (experiment.compute)
      e.within("compute at " + experiment.compute->place.text());
    throw;
  }
  artifact_threads = processors;
  try {
    artifact_backend = choose_backend(*registry, backend_of_artifacts, {});
    artifact_environment = environment_of(artifact_backend.make_in_parts(processors)->info(), processors, 1);
  } catch (Error& e) {
    e.within(std::string("backend ") + backend_of_artifacts + ", which makes the bases of every run");
    throw;
  }
  artifact_environment.parts = artifact_parts;

  refuse_process(process_troubles());  // what the backends brought

  materials = std::make_unique<Materials>(experiment, *registry, cache, artifact_threads);
  const MemoryLimit limit = memory_limit();
  if (!looked_at) {
    memory = memory_need(experiment, *materials);
    expect_to_fit(memory, limit);  // one trial at a time
  }
  plan = make_plan(experiment, *materials, environment, artifact_environment);
  if (looked_at) return;
  share_processors(processors);
  environment.notes = notes_of(environment, processors, doubt);
  memory.trials = jobs;
  MemoryNeed apart = memory;
  apart.trial += std::exchange(apart.basis, 0);  // each process has its own
  if (!options.workers && workers == Workers::processes && apart.bytes() > limit.bytes) workers = Workers::threads;
  if (workers == Workers::processes) memory = apart;
  expect_to_fit(memory, limit);
  rehearse(experiment, *materials, plan);
}

// Trials at a time: as many as there are processors for, and never more than there are trials.
void Session::share_processors(int processors) {
  std::map<std::string, double> flop;  // of trials that differ
  for (const PlannedTrial& trial : plan.trials) flop[trial.hash] = trial.cost.flop;
  const int trials = static_cast<int>(std::min<std::size_t>(flop.size(), 1024));
  jobs = std::max(1, std::min(options.jobs.value_or(std::max(1, processors / threads)), trials));
  environment.jobs = jobs;
  // A worker process plans the run once more, which takes a part of a second: not for trials that are over before.
  constexpr double rate = 5e10;      // FLOP/s of a thread, roughly: within a factor of three of most machines
  constexpr double worth_it = 10.0;  // seconds of trials for each worker
  double sum = 0;
  for (const auto& [hash, each] : flop) sum += each;
  workers = options.workers.value_or(sum / (rate * threads * jobs) > worth_it ? Workers::processes : Workers::threads);
  if (const int each = processors / jobs; each > threads && !options.jobs && !options.threads)
    idle = fmt::format(
        "{} trial{} of {} thread{} leave {} of {} processors idle: --threads {} would use them (and be other trials: last bits "
        "depend on a trial's threads)",
        trials, trials == 1 ? "" : "s", threads, threads == 1 ? "" : "s", processors - jobs * threads, processors, each);
}

}  // namespace khost
