#include "check/watched.hpp"

#include <fmt/format.h>

#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "check/process_state.hpp"
#include "khost/probe.hpp"

namespace khost::check {

namespace {

std::size_t bytes_of(const ArrayView& array) { return static_cast<std::size_t>(array.size()) * 4; }  // of either type

std::string entry(const ArrayView& of, const unsigned char* bytes, std::size_t i) {
  if (of.dtype == DType::i32) {
    std::int32_t value;
    std::memcpy(&value, bytes + 4 * i, sizeof value);
    return fmt::format("{}", value);
  }
  float value;
  std::memcpy(&value, bytes + 4 * i, sizeof value);
  return fmt::format("{:.6g}", value);
}

class WatchedDraw final : public NullDraw {
 public:
  WatchedDraw(NullDraw& draw, Watch& into) : draw_(draw), into_(into) {}
  const TrialInfo& trial() const override { return draw_.trial(); }
  const Signals& declared() const override { return draw_.declared(); }
  Random& random() override {
    into_.drew = true;
    return draw_.random();
  }
  const std::vector<double>& pick(const std::string& name, std::int64_t size, const Make& make) override {
    into_.drew = true;
    return draw_.pick(name, size, make);
  }
  void record(std::string_view name, double value) override { draw_.record(name, value); }
  void record(std::string_view name, std::int64_t step, double value) override { draw_.record(name, step, value); }

 private:
  NullDraw& draw_;
  Watch& into_;
};

class Watched final : public Policy {
 public:
  Watched(std::shared_ptr<Probe> probe, const Signals& declared, Watch& into)
      : probe_(std::move(probe)), policy_(dynamic_cast<Policy*>(probe_.get())), declared_(declared), into_(into) {}
  void resolve(const Upstream& upstream, std::vector<std::int64_t>& ranks) override;
  void begin(const TrialInfo& trial) override;
  void before_step(StepPlan& plan) override;
  void observe(const Step& step) override;
  void conclude(Trial& trial) override;
  void null(NullDraw& draw) override;
  void state(State& s) override {
    probe_->state(s);
    if (!s.known()) into_.stateless = true;
  }

 private:
  struct Shown {
    std::string signal;
    NamedArray array;
  };
  void look(const std::string& call, const std::vector<Shown>& read, const std::function<void()>& run);

  std::shared_ptr<Probe> probe_;
  Policy* policy_;  // the same, if it is one
  const Signals& declared_;
  Watch& into_;
  std::vector<Shown> lasting_;  // of what it has been shown, what nothing but training changes; its arrays stay where they are
};

// Steps are told as Step::index() has them, from 0. The first finding stays; the trial goes on, as it would without anybody who
// looks.
void Watched::look(const std::string& call, const std::vector<Shown>& read, const std::function<void()>& run) {
  std::vector<std::vector<unsigned char>> copies;
  for (const Shown& s : read) {
    const auto* bytes = static_cast<const unsigned char*>(s.array.array.data);
    copies.emplace_back(bytes, bytes + bytes_of(s.array.array));
  }
  const ProcessState before(Kind::probe);
  run();
  ++into_.calls;
  const std::lock_guard lock(into_.mutex);
  if (into_.first) return;
  for (std::size_t k = 0; k < read.size(); ++k) {
    const ArrayView& array = read[k].array.array;
    const auto* now = static_cast<const unsigned char*>(array.data);
    if (std::memcmp(now, copies[k].data(), copies[k].size()) == 0) continue;
    std::size_t i = 0;
    while (std::memcmp(now + 4 * i, copies[k].data() + 4 * i, 4) == 0) ++i;
    into_.first.emplace(
        fmt::format("{} writes to what it was shown: signal '{}', {}, entry {} was {} and is {}", call, read[k].signal,
                    read[k].array.name, i, entry(array, copies[k].data(), i), entry(array, now, i)),
        "a signal is the trial's own array: work on a copy, and look for a const_cast. What changes a trial is a "
        "policy, through StepPlan, and says so: s.modify(...)");
    return;
  }
  try {
    before.expect_unchanged_by(call);
  } catch (const Failure& found) {
    into_.first = found;
  }
}

void Watched::resolve(const Upstream& upstream, std::vector<std::int64_t>& ranks) {
  if (policy_) look("resolve()", {}, [&] { policy_->resolve(upstream, ranks); });
}

void Watched::begin(const TrialInfo& trial) {
  lasting_.clear();
  look("begin()", {}, [&] { probe_->begin(trial); });
}

void Watched::before_step(StepPlan& plan) {
  if (policy_) look(fmt::format("before_step() at step {}", plan.index()), lasting_, [&] { policy_->before_step(plan); });
}

void Watched::observe(const Step& step) {
  std::vector<Shown> shown, lasting;
  for (const Signals::Need& need : declared_.needs) {
    if (!need.when.includes(step.index())) continue;
    for (const NamedArray& array : step[need.name]) {
      shown.push_back({need.name, array});
      if (need.name == "weights" || need.name.starts_with("basis")) lasting.push_back({need.name, array});
    }
  }
  if (!lasting.empty()) lasting_ = std::move(lasting);
  look(fmt::format("observe() at step {}", step.index()), shown, [&] { probe_->observe(step); });
}

void Watched::conclude(Trial& trial) {
  look("conclude()", lasting_, [&] { probe_->conclude(trial); });
}

void Watched::null(NullDraw& draw) {
  look("null()", {}, [&] {
    WatchedDraw watched(draw, into_);
    probe_->null(watched);
  });
}

// What the replaced functions, which are C's, know of.
struct Replaced {
  const khost_descriptor* original;
  Signals declared;
  Watch* into;
};
Replaced& replaced() {
  static Replaced one;
  return one;
}

int create_watched(const khost_json* config, void* context, void** out, khost_message* message) {
  const Replaced& r = replaced();
  void* made = nullptr;
  const int status = r.original->create(config, context, &made, message);
  if (status != 0 || !made) return status;
  std::shared_ptr<Probe> probe(static_cast<Probe*>(made), [&r](Probe* p) { r.original->destroy(p); });
  *out = static_cast<Probe*>(new Watched(std::move(probe), r.declared, *r.into));
  return 0;
}

void destroy_watched(void* instance) { delete static_cast<Probe*>(instance); }

}  // namespace

void watch(const Plugin& plugin, Signals declared, Watch& into) {
  replaced() = {plugin.descriptor, std::move(declared), &into};
  static khost_descriptor watched;
  watched = *plugin.descriptor;
  watched.create = &create_watched;
  watched.destroy = &destroy_watched;
  const_cast<Plugin&>(plugin).descriptor = &watched;  // NOLINT: the loader's own, and of this process alone
}

}  // namespace khost::check
