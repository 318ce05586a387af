#include "run/run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "artifact/temporary.hpp"
#include "compute/process.hpp"
#include "core/interrupt.hpp"
#include "engine/nulls.hpp"
#include "engine/prepare.hpp"
#include "manifest/record_path.hpp"
#include "page/reports.hpp"
#include "run/artifacts.hpp"
#include "run/housekeeping.hpp"
#include "run/process_executor.hpp"
#include "run/recording.hpp"
#include "run/registration.hpp"
#include "run/run_folder.hpp"
#include "run/scheduler.hpp"
#include "run/store.hpp"
#include "run/thread_executor.hpp"
#include "store/now.hpp"
#include "store/run_database.hpp"

namespace khost {

namespace {

constexpr int null_draw_count = 1000;

using Standings = std::map<std::string, Standing>;

std::string null_text(const Signals& signals, const std::string& record) {
  const Signals::Null* null = signals.null_of(record);
  if (!null) return "";
  if (!null->drawn) return "no null: " + null->text;
  return null->text + (null->fresh_only ? "; on a fixed batch no null: nothing is sampled" : "");
}

std::vector<Definition> definitions_of(const Session& session) {
  std::vector<Definition> all;
  for (const Arm& arm : session.experiment.arms)
    for (const Component& c : arm.probes) {
      const Signals signals = describe(session.registry->get(Kind::probe, c.plugin), &c.config).signals;
      for (const Signals::Emit& emit : signals.emits) {
        const RecordName name = record_name(c, emit.name);
        if (std::ranges::none_of(all, [&](const Definition& d) { return d.probe == name.probe && d.name == name.name; }))
          all.push_back({name.probe, name.name, emit.unit, emit.doc, null_text(signals, emit.name), c.name});
      }
    }
  return all;
}

Setup setup_of(const Session& session) {
  Setup setup{session.options, session.plan.run_hash, 0};
  setup.options.resolved = session.experiment.resolved.pretty();
  setup.options.cache = session.cache.root();
  const MemoryLimit limit = memory_limit();
  if (std::isfinite(limit.bytes)) setup.memory = limit.bytes / session.jobs + reserved_by_libraries();
  return setup;
}

void introduce(const Session& session) {
  const Environment& e = session.environment;
  session.listener.message(fmt::format("{}: {} trials, backend {} ({} {}, {}), {} at a time with {} thread{} each{}",
                                       session.experiment.name, session.plan.trials.size(), e.backend, e.library,
                                       e.library_version, e.kernel, e.jobs, e.threads, e.threads == 1 ? "" : "s",
                                       session.workers == Workers::processes ? ", in processes of their own" : ""));
  if (!session.idle.empty()) session.listener.message(session.idle);
}

void tell(const Session& session, const Standings& standings) {
  for (const Claim& claim : session.experiment.claims)
    if (const Standing& s = standings.at(claim.id); !s.fixed)
      session.listener.message(fmt::format("warning: claim '{}' is post hoc: {}", claim.id, fmt::join(s.against, "; ")));
    else if (s.has_past)
      session.listener.message(fmt::format("warning: claim '{}': {}", claim.id, s.note));
}

// All that its trials and bases are composed of.
std::vector<PluginUsed> plugins_of(const Session& session) {
  std::set<std::pair<Kind, std::string>> used{{Kind::compute, session.backend.name},
                                              {Kind::compute, session.artifact_backend.name}};
  const auto use = [&](Kind kind, const Component& c) { used.emplace(kind, c.plugin); };
  use(Kind::model, session.experiment.model);
  for (const BaseRecipe& base : session.experiment.bases) {
    use(Kind::model, base.model);
    if (base.steps == 0 || !base.file.empty()) continue;
    use(Kind::data, base.data.source), use(Kind::optimizer, base.optimizer);
  }
  for (const Arm& arm : session.experiment.arms) {
    use(Kind::model, arm.model), use(Kind::data, arm.data.source), use(Kind::optimizer, arm.optimizer);
    if (arm.adapter) use(arm.adapter->written ? Kind::adapter : Kind::core, arm.adapter->component);
    for (const Component& probe : arm.probes) use(Kind::probe, probe);
  }
  std::vector<PluginUsed> plugins;
  for (const auto& [kind, name] : used) {
    const Plugin& plugin = session.registry->get(kind, name);
    plugins.push_back({name_of(kind), name, plugin.path, plugin.content});
  }
  return plugins;
}

// What is known of a run before its first trial.
Run head_of(const Session& session, const RunFolder& folder) {
  Run run{session.experiment.name, session.experiment.title, session.plan.run_hash};
  run.folder = folder.path();
  run.published = session.experiment.published;
  run.environment = session.environment;
  run.plugins = plugins_of(session);
  run.command = session.options.command;
  run.manifest = session.experiment.resolved.pretty() + "\n";
  run.started = utc_now();
  return run;
}

std::vector<TrialResult> run_trials(Session& session, CacheStore& store, const TrialContext& context, RunListener& listener) {
  prepare(context, session.artifact_threads, [&](const PlannedTrial& t) { return store.has(t); });
  Scheduler scheduler(session.plan, store, listener, interrupted);
  ThreadExecutor threads(context, session.backend, session.jobs, session.threads, session.options.checkpoint_period);
  const auto in_worker_processes = [&] {
    context.base_models.release();
    for (const PlannedBase& base : session.plan.bases) try {
        context.base_models.share(base);
      } catch (const Error& e) {  // its trials say what is wrong with it
        if (e.kind() == ErrorKind::interrupted && interrupted()) throw;
      }
    ProcessExecutor processes(
        setup_of(session), session.jobs, std::chrono::seconds(session.options.silence),
        [&](const PlannedTrial& trial) { context.base_models.expect(session.plan.bases[trial.base]); },
        [&](Tasks& tasks, int worker, const Task& first) { threads.work(tasks, worker, first); });
    RunTrials run = scheduler.run(processes);
    remove_leftovers(session.cache.root());  // of those that were ended
    return run;
  };
  RunTrials run = session.workers == Workers::processes ? in_worker_processes() : scheduler.run(threads);
  session.listener.trials_end();
  if (run.interrupted)
    throw Error(ErrorKind::interrupted,
                fmt::format("interrupted with {} of {} trials finished", run.trials.size(), session.plan.trials.size()));
  return std::move(run.trials);
}

// What noise alone gives, arm by arm.
NullsByArm draw_nulls(Session& session, Run& run) {
  NullsByArm nulls;
  RunListener& listener = session.listener;
  for (const Arm& arm : session.experiment.arms) {
    check_interrupt();
    const auto& drawn =
        nulls.emplace(arm.key(), null_draws(*session.materials, arm, session.cache, null_draw_count, session.artifact_threads))
            .first->second;
    for (const auto& [probe, why] : drawn.failed) {
      listener.message("warning: the null of " + arm.key() + "/" + probe + " could not be drawn: " + why);
      for (Definition& d : run.definitions)
        if (d.instance == probe) d.null = "no null: " + why;
    }
  }
  check_interrupt();
  std::set<std::string> without;
  for (const Arm& arm : session.experiment.arms)
    for (const std::string& record : nulls_not_made(*session.materials, arm, nulls.at(arm.key()), run.trials))
      if (without.insert(record).second)
        listener.message("warning: the probe that makes '" + record +
                         "' declares a null of it, but its null() never made one: it is shown without");
  for (const Arm& arm : session.experiment.arms)
    for (const auto& [record, draws] : nulls.at(arm.key()).records)
      if (const auto band = band_of({draws.begin(), draws.end()}))
        for (const BaseRecipe& base : session.experiment.bases)
          if (arm.runs_on(base.name)) run.nulls[{base.name, arm.name}].emplace(record, *band);
  return nulls;
}

// Whoever stops in here has it whole. What the folder holds is made from its database.
void write_folder(Session& session, const CacheStore& store, const RunFolder& folder, Recording& recording,
                  FinishedRun& finished) {
  const Activity writing("writing " + folder.path(), Activity::Kind::finished);
  Run& run = finished.run;
  remove_earlier_artifacts(store.trials(), run.trials, folder.where());
  run.finished = utc_now();
  recording.finish(run);
  // Without run.db there is none of what is made from it, either.
  const auto nothing_written = [&](const Error& why) { finished.unwritten.assign(1 + std::size(report_files), why); };
  if (const auto& failure = recording.failure()) {  // told already
    nothing_written(*failure);
  } else {
    try {
      const RunReader reader(folder.where());
      run = reader.run();
      run.folder = folder.path();
      finished.unwritten = write_reports(folder.where(), run, reader, finished.published);
      for (const Error& e : finished.unwritten) session.listener.message(std::string("warning: ") + e.what());
    } catch (const Error& e) {  // somebody removed it
      session.listener.message(std::string("warning: ") + e.what());
      nothing_written(e);
    }
  }
  // They are large, and all there is without them is written.
  finished.lost = collect_artifacts(store.trials(), run.trials, folder.where());
  for (const Error& e : finished.lost) session.listener.message(std::string("warning: ") + e.what());
}

}  // namespace

FinishedRun run_experiment(Session& session, const std::string& out, std::set<std::string>& computed) {
  const auto begun = std::chrono::steady_clock::now();
  const Experiment& experiment = session.experiment;
  RunListener& listener = session.listener;
  listener.run_begins(experiment.name, session.plan.run_hash);
  for (const std::string& warning : experiment.warnings) listener.message("warning: " + warning);
  for (const std::string& note : session.environment.notes) listener.message("warning: " + note);
  Published published = read_published(experiment.published);
  const RunFolder folder(out.empty() ? "runs/" + experiment.name + "/" + session.plan.run_hash : out, session.plan.run_hash,
                         [&](std::string_view text) { listener.message(text); });
  introduce(session);

  listener.trials_begin(session.plan, session.jobs);
  enter_cache(session.cache.root(), [&](std::string_view text) { listener.message(text); });
  CacheStore store(session.cache.root(), session.plan, *session.registry, session.options.fresh, computed);
  const auto artifact_backend = session.artifact_backend.make_in_parts(session.artifact_threads);
  BaseModels base_models(
      experiment, *session.materials, session.cache, *artifact_backend,
      [&](const PlannedBase& base, const BaseProgress& p) { listener.base(base, p); }, interrupted,
      session.options.checkpoint_period);
  const Standings standings = register_claims(session);
  tell(session, standings);
  const TrialContext context{experiment, *session.materials, session.plan, base_models};
  FinishedRun finished{head_of(session, folder), std::move(published)};
  Run& run = finished.run;
  RunDatabase database(folder / "run.db", run, session.plan);
  Recording recording(listener, database);

  run.trials = run_trials(session, store, context, recording);
  run.definitions = definitions_of(session);
  const auto nulls = draw_nulls(session, run);
  run.claims = claims_json(judge_claims(experiment, run.trials, nulls, standings, [&](const JudgedClaim& claim, bool can_decide) {
    return store.ledger().look(claim, can_decide, session.plan, store.shown());
  }));
  run.artifacts = session.artifact_environment;
  for (const PlannedBase& base : session.plan.bases)
    run.bases.push_back({base.recipe->name, base.draw, base.hash, base_models.summary(base), base.file_hash});
  write_folder(session, store, folder, recording, finished);
  finished.failed = std::ranges::count_if(run.trials, [](const TrialResult& t) { return t.status != "done"; });
  finished.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return finished;
}

}  // namespace khost
