// A trial's probes and policies at work: only what they declared, only when they declared it, and every record checked.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/result.hpp"
#include "khost/probe.hpp"
#include "manifest/experiment.hpp"
#include "plan/materials.hpp"
#include "plugin/registry.hpp"

namespace khost {

// What probes are told of a trial, with the ranks of its manifest.
TrialInfo info_of(const TrialKey& key, const Arm& arm, const ArmShape& shape);

// What a trial lends its probes. The signals' arrays stay where they are for the whole trial; only their contents change.
struct TrialHooks {
  const TrialInfo* info = nullptr;
  std::map<std::string, Signal> signals;  // all that any probe of this trial needs, by name
  const Alphas* alphas = nullptr;
  std::function<double(const Alphas&)> evaluate;
  std::function<void(const Alphas&, std::int64_t, const Trial::Visit&)> gradients;
  std::function<const Outcome&()> outcome;
  std::function<std::vector<double>()> displacement;
  std::function<std::span<float>(std::size_t)> alpha_scale;  // of a matrix; asking for it switches scaling on for the step
  std::function<void(std::size_t, std::int64_t)> set_rank;
  std::function<void()> reset_optimizer;
  std::function<void(const std::string& name, std::span<const NamedArray>)> write_artifact;
};

// A probe that was made, with what it declares.
struct MadeProbe {
  Component component;
  Signals declared;
  std::shared_ptr<Probe> probe;
  bool policy = false;
};

class Probes {
 public:
  Probes(const std::vector<Component>& components, Registry& registry);
  explicit Probes(std::vector<MadeProbe> made);

  // The union of what is needed: at this step, or at any.
  bool needs(std::string_view signal, std::int64_t step) const;
  bool needs(std::string_view signal) const;
  // The largest rank that any probe asked of the base's own basis of that kind; 0: none did.
  std::int64_t basis_rank(std::string_view kind) const;

  // Lets policies change the ranks. `upstream` finds a record of a trial that this one needs, "ARM/PROBE/RECORD"; NaN: missing.
  // Throws a plugin Error for a rank outside 0 .. min(m, n).
  using Find = std::function<double(std::string_view path)>;
  void resolve(const TrialInfo& info, const Find& upstream, std::vector<std::int64_t>& ranks);
  void begin(TrialHooks hooks);
  void show(const std::string& name, Signal signal) { hooks_.signals.insert_or_assign(name, std::move(signal)); }
  void before_step(std::int64_t step);
  void observe(std::int64_t step);
  void conclude();

  std::vector<Record>& records() { return records_; }

  // begin() alone, of throw-away probes at a trial that is only planned.
  void rehearse(const TrialInfo& info);

 private:
  struct Instance;
  class StepView;
  class TrialView;
  class PlanView;
  class UpstreamView;

  void add(const Instance& instance, std::string_view name, std::int64_t step, double value);
  std::vector<std::shared_ptr<Instance>> instances_;
  TrialHooks hooks_;
  std::vector<Record> records_;
  std::set<std::pair<std::string, std::int64_t>> made_;  // full names of the records, with their steps
};

}  // namespace khost
