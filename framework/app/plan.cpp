#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <iostream>
#include <map>

#include "commands.hpp"
#include "engine/bases.hpp"
#include "session.hpp"
#include "store/trial_store.hpp"

namespace khost {

namespace {

std::string when_text(const When& when) {
  if (when.period == 1) return "every step";
  if (when.period > 1) return fmt::format("every {} steps", when.period);
  if (when.steps.empty()) return "never";
  if (when.steps.size() == 1) return fmt::format("step {}", when.steps.front());
  return fmt::format("{} steps, {} to {}", when.steps.size(), when.steps.front(), when.steps.back());
}

void print_arm(const Session& session, const Arm& arm) {
  const ArmShape& shape = session.materials->arm(arm);
  std::cout << fmt::format(
      "arm {}: {}, {} steps, {} adapter parameters, {} trainable{}\n", arm.name,
      arm.adapter ? fmt::format("{} basis, {} core, K = {}", arm.adapter->basis, arm.adapter->core, arm.adapter->rank.text())
                  : "no adapter",
      shape.steps, shape.adapter_parameters(), shape.trainable_parameters(),
      arm.needs.empty() ? "" : fmt::format(", after {}", fmt::join(arm.needs, ", ")));
  for (const Component& c : arm.probes) {
    const Signals signals = describe(session.registry->get(Kind::probe, c.plugin), &c.config).signals;
    std::vector<std::string> parts;
    std::string reads;
    for (const Signals::Need& need : signals.needs)
      reads += (reads.empty() ? "reads " : ", ") + need.name + " (" + when_text(need.when) + ")";
    if (!reads.empty()) parts.push_back(reads);
    for (const std::string& what : signals.modifies) parts.push_back("changes " + what);
    if (signals.evaluation_count) parts.push_back(fmt::format("{} evaluations", signals.evaluation_count));
    if (signals.gradient_count) parts.push_back(fmt::format("gradients of {} further batches", signals.gradient_count));
    std::cout << fmt::format("    {}: {}\n", c.name, fmt::join(parts, "; "));
  }
}

void plan(const SessionOptions& options) {
  const Session session(options, [](std::string_view what) { std::cerr << what << "\n"; });
  const TrialStore store(session.cache.root());
  const Environment& e = session.environment;
  std::cout << fmt::format("{}  (run {})\n", session.experiment.name, session.plan.run_hash);
  std::cout << fmt::format("backend {} ({} {}, {}), {} trial{} at a time with {} thread{} each\n\n", e.backend, e.library,
                           e.library_version, e.kernel, e.jobs, e.jobs == 1 ? "" : "s", e.threads, e.threads == 1 ? "" : "s");
  double flop = 0;
  for (const PlannedBase& base : session.plan.bases) {
    const bool cached = !base.recipe->file.empty() || session.cache.has("base", base.identity);
    if (!cached) flop += base.cost.flop;
    std::cout << fmt::format("base {}{}: {}\n", base.recipe->name, base.draw ? fmt::format(" (draw {})", base.draw) : "",
                             !base.recipe->file.empty() ? "from " + base.recipe->file
                             : cached                   ? "cached"
                             : base.recipe->until_loss  ? fmt::format("to be trained until calibration loss {}, at most {} steps",
                                                                      *base.recipe->until_loss, base.recipe->steps)
                                                        : fmt::format("to be trained for {} steps", base.recipe->steps));
  }
  std::cout << "\n";
  for (const Arm& arm : session.experiment.arms) print_arm(session, arm);

  std::size_t kept = 0;
  std::map<std::string, const PlannedTrial*> distinct;
  for (const PlannedTrial& t : session.plan.trials) distinct.emplace(t.hash, &t);
  for (const auto& [hash, trial] : distinct) {
    if (store.has(hash))
      ++kept;
    else
      flop += trial->cost.flop;
  }
  std::cout << fmt::format("\n{} bases x {} arms x {} seeds = {} trials, {} of them distinct, {} already in the cache\n",
                           session.plan.bases.size(), session.experiment.arms.size(), session.experiment.seeds.size(),
                           session.plan.trials.size(), distinct.size(), kept);
  std::cout << fmt::format("left to compute: at most {:.3g} TFLOP\n", flop / 1e12);
}

}  // namespace

void add_plan(CLI::App& app) {
  CLI::App* command = app.add_subcommand("plan", "what a manifest would run, what is cached, and what it costs");
  auto options = std::make_shared<SessionOptions>();
  options->declare(*command);
  command->callback([options] { plan(*options); });
}

}  // namespace khost
