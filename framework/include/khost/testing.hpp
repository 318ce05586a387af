// For tests of probes and policies: the host's side, played by the test.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "khost/error.hpp"
#include "khost/probe.hpp"

namespace khost::testing {

// A trial with the given matrices; holds what the probe recorded. Not for performance.
class FakeTrial final : public Trial {
 public:
  explicit FakeTrial(std::vector<AdaptedMatrix> matrices) {
    info_.arm = "arm", info_.base = "base";
    info_.matrices = std::move(matrices);
    for (const AdaptedMatrix& m : info_.matrices) trained.emplace_back(static_cast<std::size_t>(m.rank), 0.0f);
  }

  // Shows a step with one signal: an array of f32 per matrix, of the shapes given, in TrialInfo's order.
  void step(Probe& probe, std::int64_t index, const std::string& signal, const std::vector<std::vector<float>>& values,
            const std::vector<Shape>& shapes) {
    std::vector<NamedArray> arrays;
    for (std::size_t i = 0; i < values.size(); ++i)
      arrays.push_back({info_.matrices[i].name, {DType::f32, values[i].data(), shapes[i]}});
    signals.insert_or_assign(signal, Signal(std::move(arrays)));
    probe.observe(View(*this, index));
  }

  // Shows a step with these alpha gradients (one vector per matrix) to the probe.
  void step(Probe& probe, std::int64_t index, const Alphas& gradient) {
    std::vector<NamedArray> arrays;
    for (std::size_t i = 0; i < gradient.size(); ++i)
      arrays.push_back(
          {info_.matrices[i].name, {DType::f32, gradient[i].data(), {static_cast<std::int64_t>(gradient[i].size())}}});
    signals.insert_or_assign("alpha.grad", Signal(std::move(arrays)));
    probe.observe(View(*this, index));
  }

  const TrialInfo& info() const override { return info_; }
  const Alphas& alphas() const override { return trained; }
  const Outcome& outcome() const override { return result; }
  std::vector<double> displacement() override { return moved; }
  double evaluate(const Alphas& alphas) override { return loss(alphas); }
  void gradients(const Alphas& alphas, std::int64_t count, const Visit& visit) override {
    for (std::int64_t i = 0; i < count; ++i) visit(i, loss ? loss(alphas) : 0, batch_gradient(i, alphas));
  }
  Random random(std::string_view purpose) override { return Random(info_.seed, "probe", purpose); }
  void write_artifact(std::string_view name, std::span<const NamedArray> arrays) override {
    for (const NamedArray& a : arrays) artifacts[std::string(name)].push_back(a.name);
  }
  void record(std::string_view name, double value) override { records[std::string(name)] = value; }
  void record(std::string_view name, std::int64_t step, double value) override { series[std::string(name)][step] = value; }

  TrialInfo& info() { return info_; }  // to be changed before begin()

  Alphas trained;                                                     // what alphas() gives
  Outcome result;                                                     // what outcome() gives
  std::vector<double> moved;                                          // what displacement() gives
  std::function<double(const Alphas&)> loss;                          // what evaluate() gives
  std::function<Alphas(std::int64_t, const Alphas&)> batch_gradient;  // of independent batch i
  std::map<std::string, Signal, std::less<>> signals;
  std::map<std::string, double> records;
  std::map<std::string, std::map<std::int64_t, double>> series;
  std::map<std::string, std::vector<std::string>> artifacts;  // names of the arrays

 private:
  class View final : public Step {
   public:
    View(FakeTrial& trial, std::int64_t index) : trial_(trial), index_(index) {}
    std::int64_t index() const override { return index_; }
    const TrialInfo& trial() const override { return trial_.info_; }
    const Signal& operator[](std::string_view signal) const override { return trial_.signals.find(signal)->second; }
    void record(std::string_view name, double value) const override { trial_.record(name, index_, value); }

   private:
    FakeTrial& trial_;
    std::int64_t index_;
  };
  TrialInfo info_;
};

// A draw of a probe's null. Like the host it keeps only records whose declared null is drawn, and refuses one made twice.
class FakeNullDraw final : public NullDraw {
 public:
  using Pools = std::map<std::string, std::vector<std::vector<double>>>;  // shared by the draws of a probe

  FakeNullDraw(const TrialInfo& info, const Signals& signals, Pools& pools)
      : info_(info), signals_(signals), pools_(pools), random_(info.seed, "probe", "null") {}

  const TrialInfo& trial() const override { return info_; }
  const Signals& declared() const override { return signals_; }
  Random& random() override { return random_; }
  const std::vector<double>& pick(const std::string& name, std::int64_t size, const Make& make) override {
    auto& pool = pools_[name];
    for (auto i = static_cast<std::int64_t>(pool.size()); i < size; ++i) {
      Random own(static_cast<std::uint64_t>(i), "probe", "null pool " + name);
      pool.push_back(make(own));
    }
    return pool[random_.below(pool.size())];
  }
  void record(std::string_view name, double value) override {
    const Signals::Null* null = signals_.null_of(name);
    if (null && null->drawn && !records.emplace(name, value).second)
      throw Error(ErrorKind::plugin, "the record '" + std::string(name) + "' was made twice");
  }
  void record(std::string_view, std::int64_t, double) override {}

  std::map<std::string, double> records;

 private:
  const TrialInfo& info_;
  const Signals& signals_;
  Pools& pools_;
  Random random_;
};

// `count` draws of probe P's null at these shapes, each on an instance of its own: one value a draw, by record.
template <class P>
std::map<std::string, std::vector<double>> null_draws(const typename P::Config& config, TrialInfo info, int count) {
  Signals signals;
  P::declare(signals, config);
  FakeNullDraw::Pools pools;
  std::map<std::string, std::vector<double>> out;
  for (int i = 0; i < count; ++i) {
    info.seed = static_cast<std::uint64_t>(i);
    FakeNullDraw draw(info, signals, pools);
    P probe(config);
    probe.null(draw);
    for (const auto& [name, value] : draw.records) out[name].push_back(value);
  }
  return out;
}

// The records that P declares without saying what their null is, or that they have none, and those of which a draw is declared
// but not among `made`. Both should be none.
template <class P>
std::vector<std::string> without_null(const typename P::Config& config, const std::map<std::string, std::vector<double>>& made) {
  Signals signals;
  P::declare(signals, config);
  std::vector<std::string> out;
  for (const Signals::Emit& emit : signals.emits) {
    const Signals::Null* null = signals.null_of(emit.name);
    bool found = null && !null->drawn;
    if (null && null->drawn)
      for (const auto& [name, values] : made) found = found || matches_record(emit.name, name);
    if (!found) out.push_back(emit.name);
  }
  return out;
}

// A step about to be taken, for policies.
class FakeStepPlan final : public StepPlan {
 public:
  FakeStepPlan(const TrialInfo& info, std::int64_t index, Random& stream) : info_(info), index_(index), random_(stream) {
    for (const AdaptedMatrix& m : info.matrices) scale.emplace_back(static_cast<std::size_t>(m.rank), 1.0f);
  }
  std::int64_t index() const override { return index_; }
  const TrialInfo& trial() const override { return info_; }
  std::span<float> alpha_scale(std::size_t matrix) override { return scale.at(matrix); }
  void set_rank(std::size_t matrix, std::int64_t K) override { ranks[matrix] = K; }
  void reset_optimizer() override { ++resets; }
  Random& random() override { return random_; }
  Alphas scale;
  std::map<std::size_t, std::int64_t> ranks;  // what set_rank() was given
  int resets = 0;

 private:
  const TrialInfo& info_;
  std::int64_t index_;
  Random& random_;
};

// What resolve() reads of other arms.
class FakeUpstream final : public Upstream {
 public:
  FakeUpstream(const TrialInfo& info, Random& stream) : info_(info), random_(stream) {}
  const TrialInfo& trial() const override { return info_; }
  double record(std::string_view path) const override { return records.at(std::string(path)); }
  Random& random() const override { return random_; }
  std::map<std::string, double> records;

 private:
  const TrialInfo& info_;
  Random& random_;
};

}  // namespace khost::testing
