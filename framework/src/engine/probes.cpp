#include "engine/probes.hpp"

#include <algorithm>

#include "manifest/record_path.hpp"

namespace khost {

struct Probes::Instance {
  Component component;
  Signals declared;
  std::shared_ptr<Probe> probe;
  Policy* policy = nullptr;  // the same object, if it is one
  std::unique_ptr<Random> random;

  bool needs(std::string_view signal, std::int64_t step) const {
    return std::ranges::any_of(declared.needs, [&](const Signals::Need& n) { return n.name == signal && n.when.includes(step); });
  }
  bool observes(std::int64_t step) const {
    return std::ranges::any_of(declared.needs, [&](const Signals::Need& n) { return n.when.includes(step); });
  }
  std::string frame(const char* phase, std::int64_t step = -1) const {
    return "probe '" + component.name + "' in " + phase + (step >= 0 ? " at step " + std::to_string(step) : "");
  }
};

Probes::Probes(const std::vector<Component>& components, Registry& registry) {
  for (const Component& c : components) {
    const Plugin& plugin = registry.get(Kind::probe, c.plugin);
    auto instance = std::make_shared<Instance>();
    instance->component = c;
    instance->declared = describe(plugin, &c.config).signals;
    instance->probe = create<Probe>(plugin, c.config);
    if (plugin.descriptor->policy) {
      instance->policy = dynamic_cast<Policy*>(instance->probe.get());
      if (!instance->policy)
        throw Error(ErrorKind::plugin, "plugin '" + c.plugin + "' calls itself a policy but is not derived from khost::Policy");
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

void Probes::add(const Instance& instance, std::string_view name, std::int64_t step, double value) {
  for (const Signals::Emit& emit : instance.declared.emits)
    if (matches_record(emit.name, name)) {
      RecordName full = record_name(instance.component, name);
      if (step < 0 && !made_.insert(full.probe + "/" + full.name).second)
        throw Error(ErrorKind::plugin, "the record '" + full.probe + "/" + full.name + "' was made twice in this trial");
      records_.push_back({std::move(full.probe), std::move(full.name), step, value, emit.unit});
      return;
    }
  Error error(ErrorKind::plugin, "the record '" + std::string(name) + "' was not declared");
  std::string list;
  for (const Signals::Emit& emit : instance.declared.emits) list += (list.empty() ? "" : ", ") + emit.name;
  throw error.hint("declared: " + (list.empty() ? "none" : list))
      .hint("add emit(\"" + std::string(name) + "\", unit, doc) to the probe's declare()");
}

class Probes::StepView final : public Step {
 public:
  StepView(Probes& probes, const Instance& instance, std::int64_t index) : probes_(probes), instance_(instance), index_(index) {}
  std::int64_t index() const override { return index_; }
  const TrialInfo& trial() const override { return *probes_.hooks_.info; }
  const Signal& operator[](std::string_view signal) const override {
    if (!instance_.needs(signal, index_)) {
      std::string list;
      for (const Signals::Need& n : instance_.declared.needs)
        if (n.when.includes(index_)) list += (list.empty() ? "" : ", ") + n.name;
      throw Error(ErrorKind::plugin,
                  "the signal '" + std::string(signal) + "' was not declared for step " + std::to_string(index_))
          .hint("declared: " + (list.empty() ? "none" : list));
    }
    return probes_.hooks_.signals.find(std::string(signal))->second;
  }
  void record(std::string_view name, double value) const override { probes_.add(instance_, name, index_, value); }

 private:
  Probes& probes_;
  const Instance& instance_;
  std::int64_t index_;
};

class Probes::TrialView final : public Trial {
 public:
  TrialView(Probes& probes, Instance& instance) : probes_(probes), instance_(instance) {}
  const TrialInfo& info() const override { return *probes_.hooks_.info; }
  const Alphas& alphas() const override { return *probes_.hooks_.alphas; }
  double evaluate(const Alphas& alphas) override {
    check(alphas);
    return probes_.hooks_.evaluate(alphas);
  }
  void gradients(const Alphas& alphas, std::int64_t count, const Visit& visit) override {
    check(alphas);
    probes_.hooks_.gradients(alphas, count, visit);
  }
  Random random(std::string_view purpose) override { return Random(info().seed, instance_.component.name, purpose); }
  void write_artifact(std::string_view name, std::span<const NamedArray> arrays) override {
    probes_.hooks_.write_artifact(std::string(name), arrays);
  }
  void record(std::string_view name, double value) override { probes_.add(instance_, name, -1, value); }
  void record(std::string_view name, std::int64_t step, double value) override { probes_.add(instance_, name, step, value); }

 private:
  void check(const Alphas& alphas) const {
    const auto& matrices = info().matrices;
    bool fits = alphas.size() == matrices.size();
    for (std::size_t i = 0; fits && i < matrices.size(); ++i)
      fits = static_cast<std::int64_t>(alphas[i].size()) == matrices[i].rank;
    if (!fits)
      throw Error(ErrorKind::plugin, "alphas have another shape than this trial's adapters (one vector of K per matrix)");
  }
  Probes& probes_;
  Instance& instance_;
};

class Probes::PlanView final : public StepPlan {
 public:
  PlanView(Probes& probes, Instance& instance, std::int64_t index) : probes_(probes), instance_(instance), index_(index) {}
  std::int64_t index() const override { return index_; }
  const TrialInfo& trial() const override { return *probes_.hooks_.info; }
  std::span<float> alpha_scale(std::size_t matrix) override {
    if (std::ranges::find(instance_.declared.modifies, "alpha.scale") == instance_.declared.modifies.end())
      throw Error(ErrorKind::plugin, "changing alpha.scale was not declared")
          .hint("add modify(\"alpha.scale\") to the policy's declare()");
    return probes_.hooks_.alpha_scale(matrix);
  }
  Random& random() override { return *instance_.random; }

 private:
  Probes& probes_;
  Instance& instance_;
  std::int64_t index_;
};

void Probes::begin(TrialHooks hooks) {
  hooks_ = std::move(hooks);
  for (auto& i : instances_) {
    i->random = std::make_unique<Random>(hooks_.info->seed, i->component.name, "policy");
    call_plugin(i->frame("begin"), [&] { i->probe->begin(*hooks_.info); });
  }
}

void Probes::before_step(std::int64_t step) {
  for (auto& i : instances_)
    if (i->policy)
      call_plugin(i->frame("before_step", step), [&] {
        PlanView plan(*this, *i, step);
        i->policy->before_step(plan);
      });
}

void Probes::observe(std::int64_t step) {
  for (auto& i : instances_)
    if (i->observes(step)) call_plugin(i->frame("observe", step), [&] { i->probe->observe(StepView(*this, *i, step)); });
}

void Probes::conclude() {
  for (auto& i : instances_)
    call_plugin(i->frame("conclude"), [&] {
      TrialView trial(*this, *i);
      i->probe->conclude(trial);
    });
}

}  // namespace khost
