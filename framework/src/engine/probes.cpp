#include "engine/probes.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <mutex>
#include <set>

#include "khost/error.hpp"
#include "manifest/record_path.hpp"

namespace khost {

struct Probes::Instance : MadeProbe {
  Policy* as_policy = nullptr;  // the same object, if it is one
  std::unique_ptr<Random> random;
  std::map<std::string, std::size_t, std::less<>> series;  // in Probes::series_, by the names that the probe gives its records

  bool needs(std::string_view signal, std::int64_t step) const {
    return std::ranges::any_of(declared.needs, [&](const Signals::Need& n) { return n.name == signal && n.when.includes(step); });
  }
  bool observes(std::int64_t step) const {
    return std::ranges::any_of(declared.needs, [&](const Signals::Need& n) { return n.when.includes(step); });
  }
  bool gathers() const {  // anything from step to step
    const auto is_of_a_step = [](const Signals::Need& n) { return n.when.period > 0 || !n.when.steps.empty(); };
    return as_policy || std::ranges::any_of(declared.needs, is_of_a_step);
  }
  void must_modify(const std::string& what) const {
    if (std::ranges::find(declared.modifies, what) != declared.modifies.end()) return;
    throw Error(ErrorKind::plugin, "changing " + what + " was not declared")
        .hint("add modify(\"" + what + "\") to the policy's declare()");
  }
  CallPlace in(const char* function, std::int64_t step = -1) const { return {"probe", component.name, function, step}; }
};

namespace {

std::vector<MadeProbe> make_probes(const std::vector<Component>& components, Registry& registry) {
  std::vector<MadeProbe> made;
  for (const Component& c : components) {
    const Plugin& plugin = registry.get(Kind::probe, c.plugin);
    made.push_back({c, describe(plugin, &c.config).signals, create<Probe>(plugin, c.config), plugin.policy()});
  }
  return made;
}

}  // namespace

Probes::Probes(const std::vector<Component>& components, Registry& registry) : Probes(make_probes(components, registry)) {}

Probes::Probes(std::vector<MadeProbe> made) {
  for (MadeProbe& each : made) {
    auto instance = std::make_shared<Instance>();
    static_cast<MadeProbe&>(*instance) = std::move(each);
    if (instance->policy) {
      instance->as_policy = dynamic_cast<Policy*>(instance->probe.get());
      if (!instance->as_policy)
        throw Error(ErrorKind::plugin,
                    "plugin '" + instance->component.plugin + "' calls itself a policy but is not derived from khost::Policy");
    }
    instances_.push_back(std::move(instance));
  }
}

bool Probes::needs(std::string_view signal, std::int64_t step) const {
  return std::ranges::any_of(instances_, [&](const auto& i) { return i->needs(signal, step); });
}

bool Probes::needs(std::string_view signal) const {
  return std::ranges::any_of(instances_, [&](const auto& i) {
    return std::ranges::any_of(i->declared.needs, [&](const Signals::Need& n) { return n.name == signal; });
  });
}

std::int64_t Probes::basis_rank(std::string_view kind) const {
  std::int64_t most = 0;
  for (const auto& i : instances_)
    for (const auto& [of, rank] : i->declared.bases)
      if (of == kind) most = std::max(most, rank);
  return most;
}

// Of a name that the probe gave, checked when it is given first.
std::size_t Probes::series_of(const Instance& instance, std::string_view name) {
  const auto fits = [&](const Signals::Emit& emit) { return matches_record(emit.name, name); };
  const auto emit = std::ranges::find_if(instance.declared.emits, fits);
  if (emit == instance.declared.emits.end()) {
    Error error(ErrorKind::plugin, "the record '" + std::string(name) + "' was not declared");
    std::string list;
    std::vector<std::string_view> names;
    for (const Signals::Emit& each : instance.declared.emits) {
      list += (list.empty() ? "" : ", ") + each.name;
      names.push_back(each.name);
    }
    if (const std::string near = did_you_mean(name, names); !near.empty()) error.hint(near);
    throw error.hint("declared: " + (list.empty() ? "none" : list))
        .hint("add emit(\"" + std::string(name) + "\", unit, doc) to the probe's declare()");
  }
  if (const std::string fault = fault_of_name(name, NameForm::made); !fault.empty())
    throw Error(ErrorKind::plugin, "the record '" + std::string(name) + "' could not be named again: " + fault)
        .hint("names are of letters, digits, '_', '.' and '-', with '/' between parts");
  const RecordName full = record_name(instance.component, name);
  return series_.index(full.probe, full.name, emit->unit);
}

void Probes::add(Instance& instance, std::string_view name, std::int64_t step, double value) {
  auto known = instance.series.find(name);
  if (known == instance.series.end()) known = instance.series.emplace(name, series_of(instance, name)).first;
  if (RecordSeries& series = series_[known->second]; !series.add(step, value))
    throw Error(ErrorKind::plugin, "the record '" + series.label() + "' was made twice " +
                                       (step < 0 ? "in this trial" : "at step " + std::to_string(step)));
}

class Probes::StepView final : public Step {
 public:
  StepView(Probes& probes, Instance& instance, std::int64_t index) : probes_(probes), instance_(instance), index_(index) {}
  std::int64_t index() const override { return index_; }
  const TrialInfo& trial() const override { return probes_.host_->info(); }
  const Signal& operator[](std::string_view signal) const override {
    if (!instance_.needs(signal, index_)) {
      std::string list;
      std::vector<std::string_view> names;
      for (const Signals::Need& n : instance_.declared.needs) {
        if (n.when.includes(index_)) list += (list.empty() ? "" : ", ") + n.name;
        names.push_back(n.name);
      }
      const bool at_others = std::ranges::find(names, signal) != names.end();
      Error error(ErrorKind::plugin, "the signal '" + std::string(signal) + "' was not declared for step " +
                                         std::to_string(index_) + (at_others ? ", only for others" : ""));
      if (const std::string near = did_you_mean(signal, names); !at_others && !near.empty()) error.hint(near);
      throw error.hint("declared for this step: " + (list.empty() ? "none" : list))
          .hint("need(\"" + std::string(signal) + "\", WHEN) in the probe's declare() says when; steps count from 0");
    }
    const Signal* shown = probes_.host_->signal(std::string(signal));
    if (!shown) throw Error(ErrorKind::plugin, "the signal '" + std::string(signal) + "' is not shown in this trial");
    return *shown;
  }
  void record(std::string_view name, double value) const override { probes_.add(instance_, name, index_, value); }

 private:
  Probes& probes_;
  Instance& instance_;
  std::int64_t index_;
};

class Probes::TrialView final : public Trial {
 public:
  TrialView(Probes& probes, Instance& instance) : probes_(probes), instance_(instance) {}
  const TrialInfo& info() const override { return probes_.host_->info(); }
  const Alphas& alphas() const override {
    const Alphas& alphas = probes_.host_->alphas();
    for (std::size_t i = 0; i < alphas.size(); ++i)
      if (alphas[i].empty() && info().matrices[i].rank > 0)
        throw Error(ErrorKind::plugin, "the adapter of this arm is " + info().core + ", which has no alphas")
            .hint("need(\"alpha\", at({})) in the probe's declare() has such an arm refused before it runs");
    return alphas;
  }
  const Outcome& outcome() const override { return probes_.host_->outcome(); }
  std::vector<double> displacement() override { return probes_.host_->displacement(); }
  double evaluate(const Alphas& alphas, Part part) override {
    check(part);
    check(alphas);
    return probes_.host_->evaluate(alphas, part);
  }
  double evaluate_adapter(const AdapterValues& values, Part part) override {
    check(part);
    if (!values.empty()) check(values);
    return probes_.host_->evaluate_adapter(values, part);
  }
  AdapterValues adapter() const override { return probes_.host_->adapter(); }
  void gradients(const Alphas& alphas, std::int64_t count, const Visit& visit) override {
    check(alphas);
    probes_.host_->gradients(alphas, count, visit);
  }
  Random random(std::string_view purpose) override { return Random(info().seed, instance_.component.name, purpose); }
  void write_artifact(std::string_view name, std::span<const NamedArray> arrays) override {
    probes_.host_->write_artifact(artifact_name(name), arrays);
  }
  void record(std::string_view name, double value) override { probes_.add(instance_, name, -1, value); }
  void record(std::string_view name, std::int64_t step, double value) override {
    // -1 is how the engine marks a record without a step: one made at it would pass for the trial's own figure.
    if (step < 0)
      throw Error(ErrorKind::plugin, "the record '" + std::string(name) + "' was made at step " + std::to_string(step))
          .hint("steps count from 0; record(name, value) makes the one figure of a whole trial");
    probes_.add(instance_, name, step, value);
  }

 private:
  // Two instances of a plugin write two files: "trace" of the plugin itself, "late-trace" of its instance `late`.
  std::string artifact_name(std::string_view name) const {
    const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; };
    if (name.empty() || name.front() == '.' || !std::ranges::all_of(name, fits))
      throw Error(ErrorKind::plugin, "'" + std::string(name) + "' is no name for an artifact")
          .hint("letters, digits, and _ - . within it");
    const std::string& own = instance_.component.name;
    return name == own ? own : own + "-" + std::string(name);
  }
  // What a part costs, in time and memory, and whether the manifest has windows of it, is known before anything runs.
  void check(Part part) const {
    if (instance_.declared.evaluation_count(part) > 0) return;
    throw Error(ErrorKind::plugin, std::string("evaluating on the ") + name_of(part) + " part was not declared")
        .hint(std::string("add evaluations(COUNT, khost::Part::") + name_of(part) + ") to the probe's declare()");
  }
  void check(const AdapterValues& values) const {
    const AdapterValues own = adapter();
    for (const auto& [name, given] : values) {
      const auto found = own.find(name);
      if (found == own.end()) {
        std::vector<std::string> names;
        for (const auto& [each, _] : own) names.push_back(each);
        const std::string near = did_you_mean(name, names);
        throw Error(ErrorKind::plugin, "this trial's adapter has no '" + name + "'" + (near.empty() ? "" : "; " + near))
            .hint("it has " + std::to_string(own.size()) + " arrays" + (own.empty() ? "" : ": " + own.begin()->first + ", ..."));
      }
      if (given.size() != found->second.size())
        throw Error(ErrorKind::plugin, "'" + name + "' takes " + std::to_string(found->second.size()) + " values, not " +
                                           std::to_string(given.size()));
    }
  }
  void check(const Alphas& alphas) const {
    const Alphas& own = this->alphas();
    bool fits = alphas.size() == own.size();
    for (std::size_t i = 0; fits && i < own.size(); ++i) fits = alphas[i].size() == own[i].size();
    if (!fits) throw Error(ErrorKind::plugin, "alphas have another shape than this trial's adapters (one vector per matrix)");
  }
  Probes& probes_;
  Instance& instance_;
};

class Probes::PlanView final : public StepPlan {
 public:
  PlanView(Probes& probes, Instance& instance, std::int64_t index) : probes_(probes), instance_(instance), index_(index) {}
  std::int64_t index() const override { return index_; }
  const TrialInfo& trial() const override { return probes_.host_->info(); }
  std::span<float> alpha_scale(std::size_t matrix) override {
    instance_.must_modify("alpha.scale");
    return probes_.host_->alpha_scale(matrix);
  }
  void reset_alpha(std::size_t matrix, std::int64_t k) override {
    instance_.must_modify("alpha");
    expect_dims("reset_alpha", matrix, k, k + 1);
    probes_.host_->reset_alpha(matrix, k);
  }
  void set_rank(std::size_t matrix, std::int64_t K) override {
    instance_.must_modify("alpha.rank");
    expect_dims("set_rank", matrix, K, K);
    probes_.host_->set_rank(matrix, K);
  }
  void reset_optimizer() override {
    instance_.must_modify("optimizer.state");
    probes_.host_->reset_optimizer();
  }
  Random& random() override { return *instance_.random; }

 private:
  void expect_dims(const char* call, std::size_t matrix, std::int64_t given, std::int64_t dims) const {
    const auto& matrices = trial().matrices;
    if (matrix < matrices.size() && given >= 0 && dims <= matrices[matrix].rank) return;
    throw Error(ErrorKind::plugin,
                std::string(call) + "(" + std::to_string(matrix) + ", " + std::to_string(given) + "): " +
                    (matrix >= matrices.size() ? "there are " + std::to_string(matrices.size()) + " matrices"
                                               : matrices[matrix].name + " has K = " + std::to_string(matrices[matrix].rank)));
  }

  Probes& probes_;
  Instance& instance_;
  std::int64_t index_;
};

class Probes::UpstreamView final : public Upstream {
 public:
  UpstreamView(const TrialInfo& info, const Instance& instance, const Find& find)
      : info_(info), instance_(instance), find_(find), random_(info.seed, instance.component.name, "resolve") {}
  const TrialInfo& trial() const override { return info_; }
  double record(std::string_view path) const override {
    const auto& reads = instance_.declared.reads;
    if (std::ranges::none_of(reads, [&](const std::string& declared) { return matches_record(declared, path); }))
      throw Error(ErrorKind::plugin, "reading the record '" + std::string(path) + "' of another arm was not declared")
          .hint("add read(\"" + std::string(path) + "\") to the policy's declare()");
    return find_(path);
  }
  Random& random() const override { return random_; }

 private:
  const TrialInfo& info_;
  const Instance& instance_;
  const Find& find_;
  mutable Random random_;
};

void Probes::resolve(const TrialInfo& info, const Find& upstream, std::vector<std::int64_t>& ranks) {
  for (auto& i : instances_) {
    if (!i->as_policy) continue;
    const std::vector<std::int64_t> before = ranks;
    call_plugin(i->in("resolve"), [&] {
      i->as_policy->resolve(UpstreamView(info, *i, upstream), ranks);
      if (ranks == before) return;
      i->must_modify("adapter.rank");
      if (ranks.size() != before.size()) throw Error(ErrorKind::plugin, "resolve() changed how many ranks there are");
      for (std::size_t k = 0; k < ranks.size(); ++k) {
        const AdaptedMatrix& m = info.matrices[k];
        if (ranks[k] < 0 || ranks[k] > std::min(m.rows, m.cols))
          throw Error(ErrorKind::plugin, "resolve() gave " + m.name + " a rank of " + std::to_string(ranks[k]) +
                                             "; it can have 0 to " + std::to_string(std::min(m.rows, m.cols)));
      }
    });
  }
}

void Probes::begin(TrialHost& host) {
  host_ = &host;
  for (auto& i : instances_) {
    i->random = std::make_unique<Random>(host.info().seed, i->component.name, "policy");
    call_plugin(i->in("begin"), [&] { i->probe->begin(host.info()); });
  }
}

void Probes::rehearse(const TrialInfo& info) {
  for (auto& i : instances_) call_plugin(i->in("begin"), [&] { i->probe->begin(info); });
}

void Probes::before_step(std::int64_t step) {
  for (auto& i : instances_)
    if (i->as_policy)
      call_plugin(i->in("before_step", step), [&] {
        PlanView plan(*this, *i, step);
        i->as_policy->before_step(plan);
      });
}

void Probes::observe(std::int64_t step) {
  for (auto& i : instances_)
    if (i->observes(step)) call_plugin(i->in("observe", step), [&] { i->probe->observe(StepView(*this, *i, step)); });
}

// Once a process: the arm's other trials would say it again.
void say_unknown(const Component& probe) {
  static std::mutex mutex;
  static std::set<std::string> said;
  const std::lock_guard lock(mutex);
  if (said.insert(probe.plugin).second)
    spdlog::warn(
        "probe '{}' does not say what it gathers (state(), khost/probe.hpp): its trials have no checkpoint, and begin anew",
        probe.name);
}

void Probes::state(State& s) {
  series_.state(s);
  for (auto& i : instances_) {
    if (!i->gathers()) continue;
    if (i->random) s(*i->random);
    const bool known = s.known();
    call_plugin(i->in("state"), [&] { i->probe->state(s); });
    if (known && !s.known()) say_unknown(i->component);
  }
}

void Probes::conclude() {
  for (auto& i : instances_)
    call_plugin(i->in("conclude"), [&] {
      TrialView trial(*this, *i);
      i->probe->conclude(trial);
    });
}

}  // namespace khost
