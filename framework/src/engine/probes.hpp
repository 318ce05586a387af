// A trial's probes and policies at work: only what they declared, only when they declared it, and every record checked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/result.hpp"
#include "khost/probe.hpp"
#include "manifest/experiment.hpp"
#include "plan/materials.hpp"
#include "plugin/registry.hpp"

namespace khost {

// What a trial lends its probes. The signals' arrays stay where they are for the whole trial; only their contents change.
class TrialHost {
 public:
  virtual const TrialInfo& info() const = 0;
  virtual const Alphas& alphas() const = 0;
  virtual const Outcome& outcome() const = 0;
  // What the trial shows under that name; null: it shows no such signal.
  virtual const Signal* signal(const std::string& name) const = 0;
  virtual double evaluate(const Alphas& alphas, Part part) = 0;
  virtual double evaluate_adapter(const AdapterValues& values, Part part) = 0;  // of names and sizes that adapter() has
  virtual AdapterValues adapter() const = 0;
  virtual void gradients(const Alphas& alphas, std::int64_t count, const Trial::Visit& visit) = 0;
  virtual std::vector<double> displacement() = 0;
  virtual std::span<float> alpha_scale(std::size_t matrix) = 0;  // asking for it switches scaling on for the step
  virtual void reset_alpha(std::size_t matrix, std::int64_t k) = 0;
  virtual void set_rank(std::size_t matrix, std::int64_t K) = 0;
  virtual void reset_optimizer() = 0;
  virtual void write_artifact(const std::string& name, std::span<const NamedArray> arrays) = 0;

 protected:
  ~TrialHost() = default;
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
  void begin(TrialHost& host);  // which outlives what follows
  void before_step(std::int64_t step);
  void observe(std::int64_t step);
  void conclude();
  void state(State& s);  // of a checkpoint, between two steps

  SeriesSet& series() { return series_; }  // their records

  // begin() alone, of throw-away probes at a trial that is only planned.
  void rehearse(const TrialInfo& info);

 private:
  struct Instance;
  class StepView;
  class TrialView;
  class PlanView;
  class UpstreamView;

  void add(Instance& instance, std::string_view name, std::int64_t step, double value);
  std::size_t series_of(const Instance& instance, std::string_view name);
  std::vector<std::shared_ptr<Instance>> instances_;
  TrialHost* host_ = nullptr;
  SeriesSet series_;
};

}  // namespace khost
