// Probes and policies in small experiments, run as khost runs any: through a manifest.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "check/test.hpp"
#include "check/watched.hpp"
#include "core/interrupt.hpp"
#include "engine/nulls.hpp"
#include "plugin/registry.hpp"
#include "run/run.hpp"

namespace khost::check {

namespace {

namespace fs = std::filesystem;

constexpr int steps = 40;  // of the papers, too

Signals declared(const Subject& of) {
  const Json config = of.config();
  return describe(of.plugin, &config).signals;
}

// The other arms whose records it reads, ARM/PROBE/RECORD, each with its probe; what is no plugin there is the engine's own.
std::map<std::string, std::set<std::string>> arms_before(const Subject& of) {
  std::map<std::string, std::set<std::string>> probes;
  const Registry registry(Registry::default_folders({fs::path(of.plugin.path).parent_path()}));
  for (const std::string& path : declared(of).reads) {
    const std::string arm = path.substr(0, path.find('/'));
    const std::string probe = path.substr(arm.size() + 1, path.find('/', arm.size() + 1) - arm.size() - 1);
    if ((arm + probe).find('<') != std::string::npos)
      throw Skipped("it reads '" + path + "' of another arm: --config that names an arm and its probe lets that arm run first");
    probes[arm];
    if (!registry.path_of(probe).empty()) probes[arm].insert(probe);
  }
  return probes;
}

// Arms "without" and "with" the probe, on data of one batch or of a fresh one each step. K is the papers' largest: what probes
// ask for by default is there.
std::string manifest(const Subject& of, bool fresh) {
  Json probe = of.given;
  probe.set("plugin", of.plugin.name());
  Json arms{Json::Object{}}, with{Json::Object{}};
  Json::List needs;
  for (const auto& [arm, probes] : arms_before(of)) {
    Json::List made;
    for (const std::string& each : probes) made.push_back(Json::object({{"plugin", each}}));
    arms.set(arm, Json::object({{"probes", std::move(made)}}));
    needs.push_back(arm);
  }
  if (!needs.empty()) with.set("needs", std::move(needs));
  with.set("probes", Json::List{probe});
  arms.set("without", Json{Json::Object{}});
  arms.set("with", std::move(with));
  const std::string path = fmt::format("{}/{}.manifest", of.scratch, fresh ? "fresh" : "fixed");
  std::ofstream(path) << fmt::format(
      R"({{"khost": 1, "experiment": "check", "seeds": 2, "steps": {}, "plugin_path": [{}],
 "data": {{"plugin": "synthetic", "vocab": 101, "sequence": 12, "batch": 2, "tokens": 20000, "source_seed": {}, "reuse": "{}"}},
 "model": {{"plugin": "gpt", "d_model": 64, "n_layer": 2, "n_head": 2}},
 "optimizer": {{"plugin": "adam", "lr": 1e-2}}, "adapter": {{"rank": 64}},
 "bases": {{"trained": {{"train": ["*"], "steps": 4, "optimizer": {{"plugin": "adam", "lr": 1e-3}}}}}},
 "arms": {}}})",
      steps, Json(fs::path(of.plugin.path).parent_path().string()).text(), of.seed, fresh ? "fresh" : "fixed", arms.text());
  return path;
}

class Quiet : public RunListener {
 public:
  explicit Quiet(std::int64_t interrupt_at = -1) : at_(interrupt_at) {}
  void started(int, const TrialKey& key, std::int64_t) override { with_ = key.arm == "with"; }
  void stepped(int, std::int64_t step, double) override {
    if (with_ && step == at_) request_interrupt();
  }

 private:
  std::int64_t at_;
  bool with_ = false;
};

// `cache`: a folder within the check's own.
SessionOptions options(const Subject& of, const std::string& path, const std::string& cache) {
  SessionOptions o;
  o.manifest = path;
  o.threads = 1, o.jobs = 1;
  o.cache = of.scratch + "/" + cache;
  o.workers = Workers::threads;
  o.checkpoint_period = 0;
  return o;
}

// The trials of both arms. Throws a Failure with what the first that failed says.
std::vector<TrialResult> trials(const Subject& of, const SessionOptions& o, RunListener& listener) {
  Session session(o, listener);
  session.artifact_threads = 1;  // what two threads do to the process, neither could be blamed for
  std::set<std::string> computed;
  const FinishedRun finished = run_experiment(session, of.scratch + "/run", computed);
  for (const TrialResult& t : finished.run.trials)
    if (t.status != "done")
      throw Failure(fmt::format("arm '{}', seed {} failed: {}", t.key.arm, t.key.seed, t.message),
                    "the message tells the call and the step; with other parameters: --config '{...}'");
  return finished.run.trials;
}

std::vector<TrialResult> trials(const Subject& of, bool fresh) {
  Quiet quiet;
  return trials(of, options(of, manifest(of, fresh), "cache"), quiet);
}

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

const TrialResult& of_arm(const std::vector<TrialResult>& all, const std::string& arm, std::uint64_t seed) {
  for (const TrialResult& t : all)
    if (t.key.arm == arm && t.key.seed == seed) return t;
  throw Failure("arm '" + arm + "' has no trial", "");
}

void expect_same(const RecordSeries& a, const RecordSeries& b, const std::string& what, const std::string& mend) {
  if (a.points.size() != b.points.size())
    throw Failure(fmt::format("{}: {} figures of {}, and {}", what, a.points.size(), a.label(), b.points.size()), mend);
  for (std::size_t i = 0; i < a.points.size(); ++i)
    if (a.points[i].step != b.points[i].step || !same_bits(a.points[i].value, b.points[i].value))
      throw Failure(fmt::format("{}: {}{} is {:.17g}, and {:.17g}", what, a.label(),
                                a.points[i].step < 0 ? "" : fmt::format(" at step {}", a.points[i].step + 1), a.points[i].value,
                                b.points[i].value),
                    mend);
}

std::string trial_test(const Subject& of) {
  std::size_t count = 0;
  for (const bool fresh : {false, true}) count += trials(of, fresh).size();
  return fmt::format("{} trials of {} steps", count, steps);
}

// The plan's arm with the probe, and what its null draws there.
NullDraws draws(const Subject& of, bool fresh, const std::string& cache, int count) {
  Quiet quiet;
  const SessionOptions o = options(of, manifest(of, fresh), cache);
  Session session(o, quiet);
  for (const Arm& arm : session.experiment.arms)
    if (arm.name == "with") return null_draws(*session.materials, arm, session.cache, count, 1);
  return {};
}

// Each call of one trial of either seed, and of two draws of its null. The host puts some of what a plugin changes back,
// so that nothing else would show it.
std::string calls_test(const Subject& of) {
  Watch found;
  watch(of.plugin, declared(of), found);
  Quiet quiet;
  SessionOptions o = options(of, manifest(of, true), "cache");
  o.fresh = true;  // what an earlier test computed has no calls any more
  trials(of, o, quiet);
  draws(of, true, "calls", 2);
  if (found.first) throw Failure(*found.first);
  return fmt::format("{} calls", found.calls.load());
}

// What the trial came to, but for what this probe recorded.
std::string reading_test(const Subject& of) {
  if (of.plugin.policy()) throw Skipped("a policy, which is there to change something; 'calls' asks whether it writes elsewhere");
  std::size_t figures = 0;
  for (const bool fresh : {false, true}) {
    const std::vector<TrialResult> all = trials(of, fresh);
    for (const std::uint64_t seed : {0, 1}) {
      const TrialResult &with = of_arm(all, "with", seed), &without = of_arm(all, "without", seed);
      for (const RecordSeries& s : without.series) {
        const RecordSeries* other = with.find(s.label());
        if (!other) throw Failure("with the probe there is no " + s.label(), "");
        expect_same(*other, s, "with the probe and without it the trial differs",
                    "a probe that only reads leaves the trial alone to the last bit: look for a const_cast, or for a write "
                    "through a pointer into a signal. What "
                    "changes something is a policy, and says so: s.modify(...)");
        figures += s.points.size();
      }
    }
  }
  return fmt::format("{} figures of the trial are the same to the last bit", figures);
}

std::string records_test(const Subject& of) {
  const Signals s = declared(of);
  std::map<std::string, int> recorded, numbers;  // by what is declared
  for (const bool fresh : {false, true})
    for (const TrialResult& t : trials(of, fresh)) {
      if (t.key.arm != "with") continue;
      for (const RecordSeries& series : t.series) {
        const std::string name = series.probe == of.plugin.name() ? series.name : "/" + series.label();
        auto emit = std::ranges::find(s.emits, name, &Signals::Emit::name);
        if (emit == s.emits.end())  // none of that very name, which a pattern may fit as well
          emit = std::ranges::find_if(s.emits, [&](const Signals::Emit& e) { return matches_record(e.name, name); });
        if (emit == s.emits.end()) continue;
        ++recorded[emit->name];
        for (const Point& p : series.points) {
          if (std::isinf(p.value))
            throw Failure(
                fmt::format("{} is infinite{}", series.label(), p.step < 0 ? "" : fmt::format(" at step {}", p.step + 1)),
                "record khost::missing (a NaN) where a figure cannot be computed");
          numbers[emit->name] += !std::isnan(p.value);
        }
      }
    }
  for (const Signals::Emit& e : s.emits) {
    if (!recorded.contains(e.name))
      throw Failure(
          "record '" + e.name + "' is declared and was never recorded",
          "record it, or declare it only with the parameters with which it is made: declare() is given the configuration");
    if (numbers[e.name] == 0)
      throw Failure("record '" + e.name + "' was missing (NaN) in every trial", "is it divided by something that is always 0?");
  }
  return fmt::format("{} declared, all recorded", s.emits.size());
}

// Is this figure the same in every trial, too? A share of a whole that is the whole, say.
bool always(const Subject& of, bool fresh, const std::string& label, float value) {
  for (const TrialResult& t : trials(of, fresh))
    if (const RecordSeries* s = t.find(label); s && s->has_whole() && static_cast<float>(s->whole()) != value) return false;
  return true;
}

// In dims or steps, say: noise may well give the same number each time.
bool counts(const Signals& s, const std::string& label) {
  const std::string name = label.substr(label.find('/') + 1);
  const auto emit = std::ranges::find_if(
      s.emits, [&](const Signals::Emit& e) { return matches_record(e.name, name) || matches_record(e.name, "/" + label); });
  constexpr std::string_view whole[] = {"dims", "parameters", "tokens", "steps", "batches", "bytes"};
  return emit != s.emits.end() && std::ranges::find(whole, emit->unit) != std::end(whole);
}

std::string null_test(const Subject& of) {
  constexpr int count = 24;
  const Signals s = declared(of);
  arms_before(of);
  Watch watched;
  watch(of.plugin, s, watched);
  std::size_t drawn = 0;
  for (const Signals::Emit& e : s.emits)
    if (!s.null_of(e.name))
      throw Failure("record '" + e.name + "' has no null, and does not say why",
                    "s.null(name, \"which noise\") and null(), or s.no_null(name, \"why noise has none\")");
  for (const bool fresh : {false, true}) {
    const NullDraws one = draws(of, fresh, "nulls", count), two = draws(of, fresh, "nulls again", count);
    for (const auto& [probe, why] : one.failed)
      throw Failure("null() failed: " + why, "it draws one set of the probe's records where a trial has nothing but noise");
    for (const Signals::Null& n : s.nulls) {
      if (!n.drawn_for(fresh)) continue;
      const bool found = std::ranges::any_of(one.records, [&](const auto& r) {
        return matches_record(n.record, r.first.substr(r.first.find('/') + 1)) || matches_record(n.record, "/" + r.first);
      });
      if (!found && n.record.find('*') == std::string::npos)
        throw Failure("the null of '" + n.record + "' is declared, and null() draws none",
                      "record it there, by the same name; khost::nulls::iid_gradients(*this, draw) does it for a probe that "
                      "reads alpha.grad alone");
    }
    for (const auto& [name, values] : one.records) {
      const auto again = two.records.find(name);
      if (again == two.records.end() || std::memcmp(values.data(), again->second.data(), values.size() * sizeof(float)) != 0)
        throw Failure("the null of '" + name + "' is another each time it is drawn",
                      "all chance comes from draw.random(): no clock, no std::random_device, nothing static");
      float low = HUGE_VALF, high = -HUGE_VALF;
      bool number = false;
      for (const float v : values) {
        if (std::isinf(v))
          throw Failure("a draw of the null of '" + name + "' is infinite",
                        "record khost::missing where a figure cannot be computed");
        if (!std::isnan(v)) low = std::min(low, v), high = std::max(high, v), number = true;
      }
      if (!number)
        throw Failure("every draw of the null of '" + name + "' is missing (NaN)", "a null is what noise gives: a number");
      if (low == high && !(watched.drew && counts(s, name)) && !always(of, fresh, name, low))
        throw Failure(fmt::format("all {} draws of the null of '{}' are {}", values.size(), name, low),
                      "each draw has a stream of its own, draw.random(): draw from that. Where noise always gives one figure, "
                      "say so with s.no_null()");
      ++drawn;
    }
  }
  if (drawn == 0) return "none is drawn; each record says why";
  return fmt::format("{} records, {} draws each", drawn, count);
}

std::string checkpoint_test(const Subject& of) {
  const std::string path = manifest(of, true);
  Watch found;
  watch(of.plugin, declared(of), found);
  Quiet quiet;
  const std::vector<TrialResult> whole = trials(of, options(of, path, "cache"), quiet);
  std::vector<TrialResult> broken;
  for (const std::int64_t at : {2, 25}) {
    fs::remove_all(of.scratch + "/cache/trials");  // bases and nulls stay
    Quiet breaks(at);
    try {
      trials(of, options(of, path, "cache"), breaks);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::interrupted) throw;
    }
    clear_interrupt();
    Quiet goes_on;
    broken = trials(of, options(of, path, "cache"), goes_on);
    for (const std::uint64_t seed : {0, 1}) {
      const TrialResult &a = of_arm(whole, "with", seed), &b = of_arm(broken, "with", seed);
      for (const RecordSeries& s : a.series) {
        const RecordSeries* other = b.find(s.label());
        if (!other) throw Failure("a trial that was broken off and went on has no " + s.label(), "");
        expect_same(s, *other,
                    fmt::format("a trial that was broken off after step {} and went on differs from one that was not", at + 1),
                    "void state(khost::State& s) override { s(...); } names every member that changes between steps: one is "
                    "missing there");
      }
    }
  }
  if (found.stateless)
    throw Skipped(
        "it has no state(), so a trial that is broken off begins anew (khost/state.hpp): legal, and dear in a long one");
  return "2 trials of each seed, broken off and resumed";
}

}  // namespace

std::vector<Test> probe_tests() {
  return {{"trial", "does a small experiment with it come to its end?", {Kind::probe}, &trial_test},
          {"calls", "does each call leave alone what it may only read?", {Kind::probe}, &calls_test, "trial"},
          {"reading", "does it leave the trial alone to the last bit?", {Kind::probe}, &reading_test, "calls"},
          {"records", "does it record what it declares, as numbers?", {Kind::probe}, &records_test, "trial"},
          {"null", "does each record have a null, drawn from its own stream?", {Kind::probe}, &null_test, "trial"},
          {"checkpoint",
           "does a trial that was broken off go on as if it had not been?",
           {Kind::probe},
           &checkpoint_test,
           "reading"}};
}

}  // namespace khost::check
