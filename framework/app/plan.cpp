#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "commands.hpp"
#include "console.hpp"
#include "engine/checkpoint.hpp"
#include "engine/pace.hpp"
#include "inspect/words.hpp"
#include "interruptions.hpp"
#include "manifest/series.hpp"
#include "plan_signals.hpp"
#include "report/text.hpp"
#include "session_options.hpp"
#include "store/earlier.hpp"
#include "store/trial_store.hpp"

namespace khost {

namespace {

constexpr std::size_t few_bases = 4;  // whose own forms of arms are told in full

void print_arm(const Session& session, const Arm& arm) {
  const ArmShape& shape = session.materials->arm(arm);
  std::cout << fmt::format("arm {}: {}, {} steps, {} adapter parameters, {} trainable{}\n", arm.key(),
                           !arm.adapter           ? "no adapter"
                           : arm.adapter->written ? fmt::format("{}, K = {}", arm.adapter->core, arm.adapter->rank.text())
                                                  : fmt::format("{} basis, {} core, K = {}", arm.adapter->basis,
                                                                arm.adapter->core, arm.adapter->rank.text()),
                           shape.steps, shape.adapter_parameters(), shape.trainable_parameters(),
                           arm.needs.empty() ? "" : fmt::format(", after {}", fmt::join(arm.needs, ", ")));
  const TrialInfo info = info_of({arm.name, "", 0, 0}, arm, shape);
  for (const Component& c : arm.probes) {
    const Signals signals = describe(session.registry->get(Kind::probe, c.plugin), &c.config, &info).signals;
    std::vector<std::string> parts;
    std::string reads;
    for (const Signals::Need& need : signals.needs)
      reads += (reads.empty() ? "reads " : ", ") + need.name + " (" + when_words(need.when) + ")";
    if (!reads.empty()) parts.push_back(reads);
    for (const std::string& what : signals.modifies) parts.push_back("changes " + what);
    if (signals.evaluation_count()) parts.push_back(fmt::format("{} evaluations", signals.evaluation_count()));
    for (const Part part : {Part::calibration, Part::held_out})
      if (signals.evaluation_count(part))
        parts.push_back(fmt::format("{} evaluations on the {} part", signals.evaluation_count(part), name_of(part)));
    if (signals.gradient_count) parts.push_back(fmt::format("gradients of {} further batches", signals.gradient_count));
    std::cout << fmt::format("    {}: {}\n", c.name, fmt::join(parts, "; "));
  }
}

// Paces measured so far, of arms that take the same time.
class Paces {
 public:
  const Pace& of(const Session& session, const Arm& arm) {
    const ArmShape& shape = session.materials->arm(arm);
    // A rank changes a step's time slowly: steps of two are near enough.
    std::int64_t rank = 1;
    while (rank < shape.largest_rank()) rank *= 2;
    const std::string key = fmt::format("{} {} {} {} {} {} {} {}", text_of(arm.model), arm.data.batch, arm.data.sequence,
                                        arm.reads().size() > 1, arm.adapter ? text_of(arm.adapter->component) : "",
                                        rank < 8 ? 8 : rank, arm.train.empty(), session.environment.backend);
    const auto [found, is_new] = paces_.try_emplace(key);
    if (is_new) found->second = measure_pace(*session.materials, arm, session.backend, session.jobs, session.threads);
    return found->second;
  }

 private:
  std::map<std::string, Pace> paces_;
};

struct Estimate {
  double seconds = 0;          // of trials
  double base_seconds = 0;     // of bases
  bool at_most = false;        // a base trains until a loss, and nothing says how long that takes
  std::set<std::string> seen;  // trials and bases that are counted already
};

std::string training_text(const BaseRecipe& recipe) {
  if (!recipe.until_loss) return fmt::format("to be trained for {} steps", recipe.steps);
  return fmt::format(
      "to be trained until calibration loss {}, {} steps", *recipe.until_loss,
      recipe.expected_steps ? fmt::format("about {}", *recipe.expected_steps) : fmt::format("at most {}", recipe.steps));
}

void print_bases(const Session& session, Paces& paces, Estimate& estimate) {
  for (const PlannedBase& base : session.plan.bases) {
    const bool cached = !base.recipe->file.empty() || session.cache.has("base", base.identity);
    if (!cached && estimate.seen.insert(base.hash).second) {
      // A step of a base has three products a weight, on all processors: what a trial's has with weight gradients on one job's.
      const Pace& pace = paces.of(session, session.experiment.arms.front());
      const DataSpec &own = base.recipe->data, &arms = session.experiment.arms.front().data;
      const double tokens = static_cast<double>(own.batch * own.sequence) / static_cast<double>(arms.batch * arms.sequence);
      estimate.at_most = estimate.at_most || (base.recipe->until_loss && !base.recipe->expected_steps);
      estimate.base_seconds +=
          static_cast<double>(base.cost.steps) * (pace.step + pace.weights) * tokens * session.threads / session.artifact_threads;
    }
    std::cout << fmt::format("base {}{}: {}\n", base.recipe->name, base.draw ? fmt::format(" (draw {})", base.draw) : "",
                             !base.recipe->file.empty() ? "from " + base.recipe->file
                             : cached                   ? "cached"
                             : has_checkpoint(session.cache.root(), base.hash)
                                 ? training_text(*base.recipe) + ", from its checkpoint on"
                                 : training_text(*base.recipe));
  }
}

// Why what is left is to be computed, as far as it was once: the reasons that most trials have come first.
void print_why(const std::vector<const PlannedTrial*>& left, const std::string& folder, std::size_t begun) {
  constexpr std::size_t most = 6;
  if (begun) std::cout << fmt::format("{} of those left go on from a checkpoint\n", begun);
  const Earlier earlier = compare_with_earlier(left, folder);
  if (earlier.run.empty() || left.empty()) return;
  std::vector<std::pair<int, std::string>> reasons;
  for (const auto& [reason, trials] : earlier.reasons) reasons.emplace_back(-trials, reason);
  if (earlier.gone) reasons.emplace_back(-earlier.gone, "the same trial, no longer in the cache");
  if (earlier.unknown) reasons.emplace_back(-earlier.unknown, "a trial that it has not finished");
  std::ranges::sort(reasons);
  std::cout << fmt::format("against the last run, {}:\n", earlier.run);
  for (std::size_t i = 0; i < std::min(most, reasons.size()); ++i)
    std::cout << fmt::format("  {:>5} trial{}: {}\n", -reasons[i].first, reasons[i].first == -1 ? " " : "s", reasons[i].second);
  if (reasons.size() > most) std::cout << fmt::format("  and {} more differences\n", reasons.size() - most);
}

void print_plan(const Session& session, Paces& paces, Estimate& estimate) {
  const TrialStore store(session.cache.root());
  const Environment& e = session.environment;
  std::cout << fmt::format("{}  (run {})\n", session.experiment.name, session.plan.run_hash);
  std::cout << fmt::format("backend {} ({} {}, {}), {} trial{} at a time with {} thread{} each\n\n", e.backend, e.library,
                           e.library_version, e.kernel, e.jobs, e.jobs == 1 ? "" : "s", e.threads, e.threads == 1 ? "" : "s");
  if (!session.idle.empty()) std::cout << session.idle << "\n\n";
  print_bases(session, paces, estimate);
  std::cout << "\n";
  for (const Arm& arm : session.experiment.arms)
    if (arm.on.empty() || session.experiment.bases.size() <= few_bases) print_arm(session, arm);
  if (session.experiment.bases.size() > few_bases)
    for (const BaseRecipe& base : session.experiment.bases) {
      std::vector<std::string> own;
      for (const Arm* arm : session.experiment.arms_on(base.name))
        if (!arm->on.empty()) own.push_back(arm->name);
      if (!own.empty()) std::cout << fmt::format("base {} has a form of its own of {}\n", base.name, fmt::join(own, ", "));
    }
  for (const Claim& claim : session.experiment.claims)
    std::cout << fmt::format("claim {}: {} ({}), predicted {}\n", claim.id, claim.measure,
                             claim.unit == "1" ? "a bare number" : claim.unit, claim.predicts);

  std::size_t kept = 0, elsewhere = 0, begun = 0;
  std::vector<const PlannedTrial*> left;
  double flop = 0, seconds = 0;
  std::map<std::string, const PlannedTrial*> distinct;
  for (const PlannedTrial& t : session.plan.trials) distinct.emplace(t.hash, &t);
  std::set<std::string> names;
  for (const Arm& arm : session.experiment.arms) names.insert(arm.name);
  for (const auto& [hash, trial] : distinct) {
    if (store.has(hash)) {
      ++kept;
    } else if (!estimate.seen.insert(hash).second) {
      ++elsewhere;
    } else {
      left.push_back(trial);
      begun += has_checkpoint(session.cache.root(), hash);
      flop += trial->cost.flop;
      seconds += seconds_of(paces.of(session, *trial->arm), *trial) / session.jobs;
    }
  }
  std::cout << fmt::format("\n{} bases x {} arms = {} trials, {} of them distinct, {} already in the cache{}\n",
                           session.plan.bases.size(), names.size(), session.plan.trials.size(), distinct.size(), kept,
                           elsewhere ? fmt::format(", {} computed by an experiment before", elsewhere) : "");
  print_why(left, "runs/" + session.experiment.name, begun);
  std::cout << fmt::format("left to compute: {:.3g} TFLOP in trials, about {}\n", flop / 1e12, duration_text(seconds));
  std::cout << fmt::format("memory: at least {} ({})\n", bytes_text(session.memory.bytes()), session.memory.text());
  estimate.seconds += seconds;
}

struct PlanOptions : SessionOptions {
  bool signals = false, json = false;
};

void plan_signals(const PlanOptions& options, const std::vector<std::string>& manifests, Console& console) {
  Json::List all;
  SessionOptions one = options;
  for (const std::string& manifest : manifests) {
    one.manifest = manifest;
    const Session session(one, console);
    if (options.json)
      all.push_back(plan_signals_json(session));
    else
      std::cout << (manifest == manifests.front() ? "" : "\n") << plan_signals_text(session);
  }
  if (options.json) std::cout << (all.size() == 1 ? all.front() : Json(std::move(all))).pretty() << '\n';
}

void plan(PlanOptions options) {
  if (options.json && !options.signals)
    throw Error(ErrorKind::usage, "--json is for --signals; a plan is for people").hint("khost plan --signals --json M.manifest");
  catch_interruptions();
  Console console;
  Paces paces;
  Estimate estimate;
  const auto series = read_series(options.manifest);
  const std::vector<std::string> manifests = series ? series->manifests : std::vector<std::string>{options.manifest};
  if (options.signals) return plan_signals(options, manifests, console);
  for (const std::string& manifest : manifests) {
    options.manifest = manifest;
    const Session session(options, console);
    for (const std::string& warning : session.experiment.warnings) console.message("warning: " + warning);
    for (const std::string& note : session.environment.notes) console.message("warning: " + note);
    if (manifest != manifests.front()) std::cout << "\n";
    print_plan(session, paces, estimate);
  }
  if (series)
    std::cout << fmt::format("\n{} experiments: about {} in trials\n", series->manifests.size(), duration_text(estimate.seconds));
  if (estimate.base_seconds > 0)
    std::cout << fmt::format("and bases: {} {}\n", estimate.at_most ? "at most" : "about", duration_text(estimate.base_seconds));
}

}  // namespace

Command plan_command() {
  Command command("plan", "what a manifest would run, and what it costs");
  auto& o = command.values<PlanOptions>();
  declare(command, o);
  command.flag("signals", o.signals, "who reads what and when, and who changes what, instead");
  command.flag("json", o.json, "with --signals: as JSON, for scripts");
  command.example("plan experiments/kseries.manifest --seeds 3");
  command.example("plan --signals experiments/paper85.manifest");
  command.does([&o] { plan(o); });
  return command;
}

}  // namespace khost
