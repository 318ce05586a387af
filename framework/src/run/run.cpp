#include "run/run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "artifact/file.hpp"
#include "core/interrupt.hpp"
#include "engine/nulls.hpp"
#include "engine/prepare.hpp"
#include "manifest/record_path.hpp"
#include "run/artifacts.hpp"
#include "run/registration.hpp"
#include "run/run_folder.hpp"
#include "run/scheduler.hpp"
#include "run/store.hpp"
#include "run/thread_executor.hpp"

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

void introduce(const Session& session) {
  const Environment& e = session.environment;
  session.listener.message(fmt::format("{}: {} trials, backend {} ({} {}, {}), {} at a time with {} thread{} each",
                                       session.experiment.name, session.plan.trials.size(), e.backend, e.library,
                                       e.library_version, e.kernel, e.jobs, e.threads, e.threads == 1 ? "" : "s"));
  if (!session.idle.empty()) session.listener.message(session.idle);
}

void tell(const Session& session, const Standings& standings) {
  for (const Claim& claim : session.experiment.claims)
    if (const Standing& s = standings.at(claim.id); !s.fixed)
      session.listener.message(fmt::format("warning: claim '{}' is post hoc: {}", claim.id, fmt::join(s.against, "; ")));
    else if (s.has_past)
      session.listener.message(fmt::format("warning: claim '{}': {}", claim.id, s.note));
}

std::vector<TrialResult> run_trials(Session& session, CacheStore& store, const TrialContext& context) {
  prepare(context, session.artifact_threads, [&](const PlannedTrial& t) { return store.has(t); });
  ThreadExecutor executor(context, session.backend, session.jobs, session.threads);
  RunTrials run = Scheduler(session.plan, store, session.listener, interrupted).run(executor);
  session.listener.trials_end();
  if (run.interrupted)
    throw Error(ErrorKind::interrupted,
                fmt::format("interrupted with {} of {} trials finished", run.trials.size(), session.plan.trials.size()))
        .hint("finished trials are kept; the same command goes on from there");
  return std::move(run.trials);
}

// What noise alone gives, arm by arm.
void draw_nulls(Session& session, Run& run) {
  RunListener& listener = session.listener;
  for (const Arm& arm : session.experiment.arms) {
    check_interrupt();
    const auto& drawn =
        run.nulls.emplace(arm.name, null_draws(*session.materials, arm, session.cache, null_draw_count, session.artifact_threads))
            .first->second;
    for (const auto& [probe, why] : drawn.failed) {
      listener.message("warning: the null of " + arm.name + "/" + probe + " could not be drawn: " + why);
      for (Definition& d : run.definitions)
        if (d.instance == probe) d.null = "no null: " + why;
    }
  }
  check_interrupt();
  std::set<std::string> without;
  for (const Arm& arm : session.experiment.arms)
    for (const std::string& record : nulls_not_made(*session.materials, arm, run.nulls.at(arm.name), run.trials))
      if (without.insert(record).second)
        listener.message("warning: the probe that makes '" + record +
                         "' declares a null of it, but its null() never made one: it is shown without");
}

// Whoever stops in here has it whole.
void write_folder(Session& session, const CacheStore& store, const RunFolder& folder, FinishedRun& finished) {
  const Activity writing("writing " + folder.path(), Activity::Kind::finished);
  const Run& run = finished.run;
  remove_earlier_artifacts(store.trials(), run.trials, folder.where());
  // One that cannot be written does not keep the others away, nor the table that is printed.
  const auto written = [&](const auto& write) {
    try {
      write();
    } catch (const Error& failure) {
      finished.unwritten.push_back(failure);
    }
  };
  written([&] { write_file_atomically(folder / "resolved.manifest", session.experiment.resolved.pretty() + "\n"); });
  written([&] { write_summary(folder / "summary.json", run, finished.published); });
  written([&] { write_records_csv(folder / "records.csv", run); });
  written([&] { write_report_md(folder / "report.md", run, finished.published); });
  // They are large, and all there is without them is written.
  finished.lost = collect_artifacts(store.trials(), run.trials, folder.where());
  for (const Error& failure : finished.unwritten) session.listener.message(std::string("warning: ") + failure.what());
  for (const Error& failure : finished.lost) session.listener.message(std::string("warning: ") + failure.what());
}

}  // namespace

FinishedRun run_experiment(Session& session, const std::string& out, std::set<std::string>& computed) {
  const auto begun = std::chrono::steady_clock::now();
  const Experiment& experiment = session.experiment;
  RunListener& listener = session.listener;
  for (const std::string& warning : experiment.warnings) listener.message("warning: " + warning);
  for (const std::string& note : session.environment.notes) listener.message("warning: " + note);
  Published published = read_published(experiment.published);
  const RunFolder folder(out.empty() ? "runs/" + experiment.name + "/" + session.plan.run_hash : out, session.plan.run_hash,
                         [&](std::string_view text) { listener.message(text); });
  introduce(session);

  listener.trials_begin(static_cast<int>(session.plan.trials.size()), session.jobs);
  CacheStore store(session.cache.root(), session.plan, *session.registry, session.fresh, computed);
  const auto artifact_backend = session.artifact_backend.make_in_parts(session.artifact_threads);
  BaseModels base_models(
      experiment, *session.materials, session.cache, *artifact_backend,
      [&](const PlannedBase& base, const BaseProgress& p) { listener.base(base, p); }, interrupted);
  const Standings standings = register_claims(session);
  tell(session, standings);
  const TrialContext context{experiment, *session.materials, session.plan, base_models};

  FinishedRun finished{{experiment.name, experiment.title, session.plan.run_hash, folder.path(), session.environment,
                        run_trials(session, store, context), definitions_of(session)},
                       std::move(published)};
  Run& run = finished.run;
  draw_nulls(session, run);
  run.claims = judge_claims(experiment, run.trials, run.nulls, standings, [&](const JudgedClaim& claim, bool can_decide) {
    return store.ledger().look(claim, can_decide, session.plan, store.shown());
  });
  run.artifacts = session.artifact_environment;
  for (const PlannedBase& base : session.plan.bases) {
    run.bases.push_back({base.recipe->name, base.draw, base.hash, base_models.summary(base), base.file_hash});
    if (const BaseMade& b = run.bases.back(); !b.how.empty()) finished.bases.push_back(b.name + ": " + b.how);
  }
  write_folder(session, store, folder, finished);
  finished.failed = std::ranges::count(run.trials, std::string("failed"), &TrialResult::status);
  finished.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return finished;
}

}  // namespace khost
