#include "execute.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <set>
#include <utility>

#include "artifact/file.hpp"
#include "artifacts.hpp"
#include "core/interrupt.hpp"
#include "engine/nulls.hpp"
#include "engine/prepare.hpp"
#include "engine/runner.hpp"
#include "manifest/record_path.hpp"
#include "register.hpp"
#include "report/progress.hpp"
#include "run_folder.hpp"
#include "store/claim_ledger.hpp"
#include "store/trial_store.hpp"

namespace khost {

namespace {

constexpr int null_draw_count = 1000;

std::string base_line(const PlannedBase& base, const BaseProgress& p) {
  std::string text = fmt::format("base {}: step {}/{}", base.recipe->name, p.step, p.steps);
  if (p.step > 0) text += fmt::format(", loss {:.4f}", p.loss);
  if (base.recipe->until_loss)
    text += fmt::format(", calibration {:.4f} (until {:.4f})", p.calibration, *base.recipe->until_loss);
  return text;
}

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

// Gives a session's messages to another listener, as long as that lives.
class Heard {
 public:
  Heard(Session& session, Cache::Announce listener)
      : session_(session), before_(std::exchange(session.announce, std::move(listener))) {}
  ~Heard() { session_.announce = std::move(before_); }
  Heard(const Heard&) = delete;

 private:
  Session& session_;
  Cache::Announce before_;
};

}  // namespace

Executed execute(Session& session, const std::string& out) {
  const auto begun = std::chrono::steady_clock::now();
  // Messages of what is prepared come before there are trials to show progress of.
  Progress* shown = nullptr;
  const auto say = [&](std::string_view text) {
    if (shown)
      shown->message(text);
    else
      std::cerr << text << "\n";
  };
  const Heard heard(session, say);
  for (const std::string& warning : session.experiment.warnings) say("warning: " + warning);
  for (const std::string& note : session.environment.notes) say("warning: " + note);
  auto published = read_published(session.experiment.published);
  const RunFolder folder(out.empty() ? "runs/" + session.experiment.name + "/" + session.plan.run_hash : out,
                         session.plan.run_hash, say);

  const Environment& e = session.environment;
  say(fmt::format("{}: {} trials, backend {} ({} {}, {}), {} at a time with {} thread{} each", session.experiment.name,
                  session.plan.trials.size(), e.backend, e.library, e.library_version, e.kernel, e.jobs, e.threads,
                  e.threads == 1 ? "" : "s"));
  if (!session.idle.empty()) say(session.idle);

  Progress progress(static_cast<int>(session.plan.trials.size()), session.jobs);
  shown = &progress;
  const LogThrough through(progress);
  const TrialStore store(session.cache.root());
  store.ready();
  const auto artifact_backend = session.artifact_backend.make_in_parts(session.artifact_threads);
  Bases bases(
      session.experiment, *session.materials, session.cache, *artifact_backend,
      [&](const PlannedBase& base, const BaseProgress& p) {
        if (p.step % 25 == 0) progress.message(base_line(base, p));
      },
      interrupted);
  const std::map<std::string, Standing> standings = register_claims(session);
  for (const Claim& claim : session.experiment.claims)
    if (const Standing& s = standings.at(claim.id); !s.fixed)
      say(fmt::format("warning: claim '{}' is post hoc: {}", claim.id, fmt::join(s.against, "; ")));
    else if (s.has_past)
      say(fmt::format("warning: claim '{}': {}", claim.id, s.note));
  const ClaimLedger ledger(session.cache.root());
  const Shown shows(session.plan, *session.registry);
  std::map<std::string, const PlannedTrial*> planned;
  for (const PlannedTrial& t : session.plan.trials) planned.emplace(t.hash, &t);

  const TrialContext context{session.experiment, *session.materials, session.plan, bases};
  // With --fresh what an earlier run left counts for nothing, but experiments of one series share what they computed.
  static std::set<std::string> computed;
  const auto is_kept = [&](const std::string& hash) { return (!session.fresh || computed.contains(hash)) && store.has(hash); };
  prepare(context, session.artifact_threads, [&](const PlannedTrial& t) { return is_kept(t.hash); });

  RunnerHooks hooks;
  hooks.find = [&](const std::string& hash) {
    auto found = is_kept(hash) ? store.load(hash) : std::nullopt;
    if (found) ledger.note_started(*planned.at(hash), shows);  // it may have been brought here from elsewhere
    return found;
  };
  hooks.begin = [&](const std::string& hash) { return store.begin(hash); };
  hooks.keep = [&](const std::string& temporary, const TrialResult& result) {
    store.keep(temporary, result, session.fresh ? Kept::replaces : Kept::yields);
    computed.insert(result.hash);
  };
  hooks.discard = [&](const std::string& temporary) { store.discard(temporary); };
  hooks.started = [&](int job, const PlannedTrial& t) {
    ledger.note_started(t, shows);
    progress.start(job, t.key, session.materials->arm(*t.arm).steps);
  };
  hooks.stepped = [&](int job, std::int64_t step, double loss) { progress.step(job, step, loss); };
  hooks.finished = [&](int job, const TrialResult& result) { progress.finish(job, result); };
  hooks.interrupted = interrupted;
  RunnerOutcome outcome = run_trials(context, session.backend, session.jobs, session.threads, hooks);
  progress.close();
  shown = nullptr;

  if (outcome.interrupted)
    throw Error(ErrorKind::interrupted,
                fmt::format("interrupted with {} of {} trials finished", outcome.trials.size(), session.plan.trials.size()))
        .hint("finished trials are kept; the same command goes on from there");

  Executed executed{{session.experiment.name, session.experiment.title, session.plan.run_hash, folder.path(), e,
                     std::move(outcome.trials), definitions_of(session)},
                    std::move(published),
                    {},
                    0,
                    0};
  Run& run = executed.run;
  for (const Arm& arm : session.experiment.arms) {
    check_interrupt();
    const auto& drawn =
        run.nulls.emplace(arm.name, null_draws(*session.materials, arm, session.cache, null_draw_count, session.artifact_threads))
            .first->second;
    for (const auto& [probe, why] : drawn.failed) {
      say("warning: the null of " + arm.name + "/" + probe + " could not be drawn: " + why);
      for (Definition& d : run.definitions)
        if (d.instance == probe) d.null = "no null: " + why;
    }
  }
  check_interrupt();
  std::set<std::string> without;
  for (const Arm& arm : session.experiment.arms)
    for (const std::string& record : nulls_not_made(*session.materials, arm, run.nulls.at(arm.name), run.trials))
      if (without.insert(record).second)
        say("warning: the probe that makes '" + record +
            "' declares a null of it, but its null() never made one: it is shown without");
  run.claims = judge_claims(session.experiment, run.trials, run.nulls, standings, [&](const JudgedClaim& claim, bool can_decide) {
    return ledger.look(claim, can_decide, session.plan, shows);
  });
  run.artifacts = session.artifact_environment;
  for (const PlannedBase& base : session.plan.bases) {
    run.bases.push_back({base.recipe->name, base.draw, base.hash, bases.summary(base), base.file_hash});
    if (const BaseMade& b = run.bases.back(); !b.how.empty()) executed.bases.push_back(b.name + ": " + b.how);
  }
  // Whoever stops now has it whole.
  const Activity writing("writing " + folder.path(), Activity::Kind::finished);
  remove_earlier_artifacts(store, run.trials, folder.where());
  // One that cannot be written does not keep the others away, nor the table that is printed.
  const auto written = [&](const auto& write) {
    try {
      write();
    } catch (const Error& failure) {
      executed.unwritten.push_back(failure);
    }
  };
  written([&] { write_file_atomically(folder / "resolved.manifest", session.experiment.resolved.pretty() + "\n"); });
  written([&] { write_summary(folder / "summary.json", run, executed.published); });
  written([&] { write_records_csv(folder / "records.csv", run); });
  written([&] { write_report_md(folder / "report.md", run, executed.published); });
  // They are large, and all there is without them is written.
  executed.lost = collect_artifacts(store, run.trials, folder.where());
  for (const Error& failure : executed.unwritten) say(std::string("warning: ") + failure.what());
  for (const Error& failure : executed.lost) say(std::string("warning: ") + failure.what());
  executed.failed = std::ranges::count(run.trials, std::string("failed"), &TrialResult::status);
  executed.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return executed;
}

Error lost_files(std::size_t reports, std::size_t artifacts) {
  std::string text;
  if (reports) text = fmt::format("{} of the run folder's files could not be written", reports);
  if (artifacts)
    text += fmt::format("{}{} artifact{} could not be copied{}", text.empty() ? "" : ", and ", artifacts,
                        artifacts == 1 ? "" : "s", reports ? "" : "; figures and reports are whole");
  return Error(ErrorKind::usage, text)
      .hint("the warnings above say why; the same command writes them from the cache when there is room");
}

void print(const Executed& executed) {
  std::cout << figure_table(executed.run, executed.published, 100) << "\n";
  if (!executed.run.claims.empty())
    std::cout << "claims, with verdicts by rules fixed before their data (khost claims " << executed.run.folder
              << " ID shows one's reasoning)\n"
              << claim_table(claims_json(executed.run), 100) << "\n";
  for (const std::string& line : executed.bases) std::cout << "base " << line << "\n";
  std::cout << "run folder: " << executed.run.folder << "\n";
}

}  // namespace khost
