// For unit tests of probes and policies: the test plays the trial, and the probe is held by the host's own code. So it is shown
// only what it declared, when it declared it, in the shapes that the host would show; every record is checked as in a trial
// (declared, of a name that can be read back, one per name and step); and a policy changes only what it said. What the host
// refuses, the test gets as the khost::Error that a user would get.
//
//   FakeTrial trial({{"a", 9, 7, 2, 0}});        // one matrix "a" of 9 x 7, K = 2, in layer 0
//   Hosted<Snr> probe(config);
//   probe.begin(trial);
//   trial.step(probe, 0, {{1, 2}});              // alpha's gradient, a vector per matrix that carries an adapter
//   probe.conclude(trial);
//   CHECK(trial.records.at("drift/0") == ...);
//
// All on the test's own thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "khost/error.hpp"
#include "khost/probe.hpp"

namespace khost {
class Probes;
class TrialHost;
}  // namespace khost

namespace khost::testing {

class HostedProbe;

// A trial with the given matrices; holds what the probe recorded and changed. Not for performance. It outlives the calls that
// follow begin(), up to the next begin().
class FakeTrial {
 public:
  explicit FakeTrial(std::vector<AdaptedMatrix> matrices);

  // Shows a step with one signal, an array of f32 per matrix of the shapes given, in TrialInfo's order; of alphas a vector for
  // each matrix that carries an adapter. Or with alpha's gradient, as the core has it. Or with what `signals` holds.
  void step(HostedProbe& probe, std::int64_t index, const std::string& signal, const std::vector<std::vector<float>>& values,
            const std::vector<Shape>& shapes);
  void step(HostedProbe& probe, std::int64_t index, const Alphas& gradient);
  void step(HostedProbe& probe, std::int64_t index);

  TrialInfo& info() { return info_; }  // to be changed before begin()
  const TrialInfo& info() const { return info_; }

  Alphas trained;                                                     // what alphas() gives
  Outcome result;                                                     // what outcome() gives
  std::vector<double> moved;                                          // what displacement() gives, one per matrix
  std::function<double(const Alphas&)> loss;                          // what evaluate() gives on the trial's own batch
  std::map<Part, std::function<double(const Alphas&)>> loss_on;       // and on other parts
  AdapterValues adapter;                                              // what adapter() gives
  std::function<double(const AdapterValues&, Part)> adapter_loss;     // what evaluate_adapter() gives; is given all of them
  std::function<Alphas(std::int64_t, const Alphas&)> batch_gradient;  // of independent batch i
  std::map<std::string, Signal> signals;                              // that can be shown; a probe sees what it declared
  std::map<std::string, double> upstream;                             // records of other arms, by ARM/PROBE/RECORD

  // By the name that the probe gave: "drift/0", or "/grad/mean/0" beside the instance.
  std::map<std::string, double> records;
  std::map<std::string, std::map<std::int64_t, double>> series;
  std::map<std::string, std::vector<std::string>> artifacts;  // names of the arrays

  // What a policy did in the last before_step().
  Alphas scale;                                                   // K multipliers a matrix
  std::map<std::size_t, std::int64_t> ranks;                      // what set_rank() was given
  std::map<std::size_t, std::vector<std::int64_t>> alphas_reset;  // what reset_alpha() was given, by matrix
  int resets = 0;

 private:
  TrialInfo info_;
};

// A probe or policy as the host holds it. The calls come in the host's order, resolve (policies), begin, then before_step and
// step for each step, conclude; one that is left out before another is made: a test need not call begin(). A second begin(), or
// another trial, makes the probe anew: an instance serves one trial.
class HostedProbe {
 public:
  using Make = std::function<std::shared_ptr<Probe>()>;
  HostedProbe(Signals declared, bool policy, Make make);
  ~HostedProbe();
  HostedProbe(const HostedProbe&) = delete;
  HostedProbe& operator=(const HostedProbe&) = delete;

  std::vector<std::int64_t> resolve(FakeTrial& trial);  // K per matrix, as the policy changes it; put into trial.info() too
  void begin(FakeTrial& trial);
  void begin(FakeTrial&& trial) { begin(trial), forget(); }
  void before_step(FakeTrial& trial, std::int64_t index);
  void observe(FakeTrial& trial, std::int64_t index);
  void conclude(FakeTrial& trial);
  const Signals& declared() const { return declared_; }

 private:
  void make();
  void forget() { trial_ = nullptr; }
  void be_within(FakeTrial& trial);
  void take_records(FakeTrial& trial);

  Signals declared_;
  bool policy_;
  Make make_;
  std::unique_ptr<Probes> host_;     // the host's own
  std::shared_ptr<TrialHost> lent_;  // the fake trial, as the host lends it
  bool used_ = false;                // has it begun a trial?
  const FakeTrial* trial_ = nullptr;
};

// What P declares for a configuration; refused where the host would refuse it.
Signals checked_signals(Signals declared, bool policy);
template <class P>
Signals declared_by(const typename P::Config& config) {
  Signals signals;
  P::declare(signals, config);
  return checked_signals(std::move(signals), std::is_base_of_v<Policy, P>);
}

template <class P>
class Hosted : public HostedProbe {
 public:
  explicit Hosted(const typename P::Config& config)
      : HostedProbe(declared_by<P>(config), std::is_base_of_v<Policy, P>, [config] { return std::make_shared<P>(config); }) {}
};

// `count` draws of a probe's null at these shapes, as the host makes them: each on an instance of its own, only of records whose
// declared null is drawn, none twice in a draw. One value for each draw that has it, by the record's name.
std::map<std::string, std::vector<double>> null_draws(const Signals& declared, const HostedProbe::Make& make,
                                                      const TrialInfo& info, int count);
template <class P>
std::map<std::string, std::vector<double>> null_draws(const typename P::Config& config, const TrialInfo& info, int count) {
  return null_draws(
      declared_by<P>(config), [config] { return std::make_shared<P>(config); }, info, count);
}

// The records that P declares without saying what their null is, or that they have none, and those of which a draw is declared
// for trials of such batches but not among `made`. Both should be none.
std::vector<std::string> without_null(const Signals& declared, const std::map<std::string, std::vector<double>>& made,
                                      bool fresh);
template <class P>
std::vector<std::string> without_null(const typename P::Config& config, const std::map<std::string, std::vector<double>>& made,
                                      bool fresh = false) {
  return without_null(declared_by<P>(config), made, fresh);
}

}  // namespace khost::testing
