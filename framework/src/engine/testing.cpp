// The trial that a unit test plays, lent to the host's own runner of probes.
#include "khost/testing.hpp"

#include <algorithm>

#include "engine/nulls.hpp"
#include "engine/probes.hpp"
#include "engine/shown.hpp"
#include "plugin/check_signals.hpp"

namespace khost::testing {

namespace {

const Component under_test{"probe", "probe", Json(Json::Object{}), {}};

// The name that the probe gave, from where the host puts the record.
std::string given_name(const std::string& instance, const std::string& name) {
  return instance == under_test.name ? name : "/" + instance + "/" + name;
}

class FakeHost final : public TrialHost {
 public:
  explicit FakeHost(FakeTrial& trial) : trial_(trial) {}

  const TrialInfo& info() const override { return trial_.info(); }
  const Alphas& alphas() const override { return trial_.trained; }
  const Outcome& outcome() const override { return trial_.result; }
  const Signal* signal(const std::string& name) const override {
    const auto found = trial_.signals.find(name);
    return found == trial_.signals.end() ? nullptr : &found->second;
  }
  double evaluate(const Alphas& alphas, Part part) override {
    if (part == Part::train && trial_.loss) return trial_.loss(alphas);
    const auto found = trial_.loss_on.find(part);
    if (found == trial_.loss_on.end())
      throw Error(ErrorKind::plugin, part == Part::train
                                         ? "this FakeTrial has no `loss` to evaluate"
                                         : std::string("this FakeTrial has no `loss_on` the part ") + name_of(part));
    return found->second(alphas);
  }
  double evaluate_adapter(const AdapterValues& values, Part part) override {
    if (!trial_.adapter_loss) throw Error(ErrorKind::plugin, "this FakeTrial has no `adapter_loss` to evaluate");
    AdapterValues all = values;
    all.insert(trial_.adapter.begin(), trial_.adapter.end());  // those that are not given
    return trial_.adapter_loss(all, part);
  }
  AdapterValues adapter() const override { return trial_.adapter; }
  void gradients(const Alphas& alphas, std::int64_t count, const Trial::Visit& visit) override {
    if (!trial_.batch_gradient) throw Error(ErrorKind::plugin, "this FakeTrial has no `batch_gradient`");
    for (std::int64_t i = 0; i < count; ++i) visit(i, trial_.loss ? trial_.loss(alphas) : 0, trial_.batch_gradient(i, alphas));
  }
  std::vector<double> displacement() override {
    if (trial_.moved.size() != trial_.info().matrices.size())
      throw Error(ErrorKind::plugin, "`moved` of this FakeTrial has not one entry per matrix");
    return trial_.moved;
  }
  std::span<float> alpha_scale(std::size_t matrix) override { return trial_.scale.at(matrix); }
  void reset_alpha(std::size_t matrix, std::int64_t k) override { trial_.alphas_reset[matrix].push_back(k); }
  void set_rank(std::size_t matrix, std::int64_t K) override { trial_.ranks[matrix] = K; }
  void reset_optimizer() override { ++trial_.resets; }
  void write_artifact(const std::string& name, std::span<const NamedArray> arrays) override {
    const std::string instance = under_test.name + "-";  // before what the probe said, so that two instances differ
    const std::string given = name.starts_with(instance) ? name.substr(instance.size()) : name;
    for (const NamedArray& a : arrays) trial_.artifacts[given].push_back(a.name);
  }

 private:
  FakeTrial& trial_;
};

}  // namespace

FakeTrial::FakeTrial(std::vector<AdaptedMatrix> matrices) {
  info_.arm = "arm", info_.base = "base";
  info_.matrices = std::move(matrices);
  for (const AdaptedMatrix& m : info_.matrices) trained.emplace_back(static_cast<std::size_t>(m.rank), 0.0f);
}

void FakeTrial::step(HostedProbe& probe, std::int64_t index, const std::string& signal,
                     const std::vector<std::vector<float>>& values, const std::vector<Shape>& shapes) {
  const bool of_adapters = signal.starts_with("alpha") && values.size() < info_.matrices.size();
  std::vector<NamedArray> arrays;
  std::size_t next = 0;
  for (const AdaptedMatrix& m : info_.matrices) {
    if (m.rank == 0 && of_adapters) continue;
    if (next == values.size())
      throw Error(ErrorKind::plugin, "the test shows " + std::to_string(values.size()) + " arrays; there is none for " + m.name);
    if (m.rank > 0 || !signal.starts_with("alpha"))
      arrays.push_back({m.name, {DType::f32, values[next].data(), shapes.at(next)}});
    ++next;
  }
  if (next < values.size()) throw Error(ErrorKind::plugin, "the test shows more arrays than there are matrices for");
  signals.insert_or_assign(signal, Signal(std::move(arrays)));
  step(probe, index);
}

void FakeTrial::step(HostedProbe& probe, std::int64_t index, const Alphas& gradient) {
  std::vector<Shape> shapes;
  std::size_t next = 0;
  const bool all = gradient.size() == info_.matrices.size();
  for (const AdaptedMatrix& m : info_.matrices) {
    if (m.rank == 0 && !all) continue;
    if (next++ == gradient.size()) break;
    shapes.push_back(info_.alpha_shape(m).size() > 1 ? info_.alpha_shape(m)
                                                     : Shape{static_cast<std::int64_t>(gradient[next - 1].size())});
  }
  step(probe, index, "alpha.grad", gradient, shapes);
}

void FakeTrial::step(HostedProbe& probe, std::int64_t index) { probe.observe(*this, index); }

HostedProbe::HostedProbe(Signals declared, bool policy, Make make)
    : declared_(std::move(declared)), policy_(policy), make_(std::move(make)) {
  this->make();
}

HostedProbe::~HostedProbe() = default;

void HostedProbe::make() {
  std::vector<MadeProbe> made;
  made.push_back({under_test, declared_, make_(), policy_});
  host_ = std::make_unique<Probes>(std::move(made));
}

std::vector<std::int64_t> HostedProbe::resolve(FakeTrial& trial) {
  std::vector<std::int64_t> ranks;
  for (const AdaptedMatrix& m : trial.info().matrices) ranks.push_back(m.rank);
  const auto find = [&](std::string_view path) {
    const auto found = trial.upstream.find(std::string(path));
    if (found == trial.upstream.end())
      throw Error(ErrorKind::trial, "there is no record '" + std::string(path) + "' among those of the arms it needs");
    return found->second;
  };
  host_->resolve(trial.info(), find, ranks);
  for (std::size_t i = 0; i < ranks.size(); ++i) trial.info().matrices[i].rank = ranks[i], trial.info().matrices[i].alpha = {};
  return ranks;
}

void HostedProbe::begin(FakeTrial& trial) {
  if (std::exchange(used_, true)) make();
  trial.records.clear(), trial.series.clear(), trial.artifacts.clear();
  lent_ = std::make_shared<FakeHost>(trial);
  host_->begin(*lent_);
  trial_ = &trial;
}

void HostedProbe::be_within(FakeTrial& trial) {
  if (trial_ != &trial) begin(trial);
}

void HostedProbe::before_step(FakeTrial& trial, std::int64_t index) {
  be_within(trial);
  trial.scale.clear(), trial.ranks.clear(), trial.resets = 0;
  for (const AdaptedMatrix& m : trial.info().matrices) trial.scale.emplace_back(static_cast<std::size_t>(m.rank), 1.0f);
  host_->before_step(index);
}

void HostedProbe::observe(FakeTrial& trial, std::int64_t index) {
  be_within(trial);
  for (const Signals::Need& need : declared_.needs) {
    if (!need.when.includes(index)) continue;
    const auto found = trial.signals.find(need.name);
    if (found == trial.signals.end())
      throw Error(ErrorKind::plugin,
                  "the test does not show '" + need.name + "', which the probe needs at step " + std::to_string(index));
    check_shown(need.name, found->second, trial.info(),
                host_->basis_rank(need.name.substr(std::min<std::size_t>(6, need.name.size()))));
  }
  host_->observe(index);
  take_records(trial);
}

void HostedProbe::conclude(FakeTrial& trial) {
  be_within(trial);
  host_->conclude();
  take_records(trial);
}

void HostedProbe::take_records(FakeTrial& trial) {
  for (const RecordSeries& s : host_->series().all())
    for (const auto& [step, value] : s.points) {
      if (step < 0)
        trial.records[given_name(s.probe, s.name)] = value;
      else
        trial.series[given_name(s.probe, s.name)][step] = value;
    }
}

Signals checked_signals(Signals declared, bool policy) {
  check_signals(declared, "probe 'probe'", policy);
  return declared;
}

std::map<std::string, std::vector<double>> null_draws(const Signals& declared, const HostedProbe::Make& make,
                                                      const TrialInfo& info, int count) {
  std::map<std::string, std::vector<double>> out;
  for (const auto& draw : joint_draws(under_test, declared, info, count, make))
    for (const auto& [full, value] : draw) {
      const std::size_t slash = full.find('/');
      out[given_name(full.substr(0, slash), full.substr(slash + 1))].push_back(value);
    }
  return out;
}

std::vector<std::string> without_null(const Signals& declared, const std::map<std::string, std::vector<double>>& made,
                                      bool fresh) {
  std::vector<std::string> out;
  for (const Signals::Emit& emit : declared.emits) {
    const Signals::Null* null = declared.null_of(emit.name);
    bool found = null && !null->drawn_for(fresh);
    if (null && null->drawn_for(fresh))
      for (const auto& [name, values] : made) found = found || matches_record(emit.name, name);
    if (!found) out.push_back(emit.name);
  }
  return out;
}

}  // namespace khost::testing
