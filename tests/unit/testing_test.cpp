#include "khost/testing.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "message.hpp"

using namespace khost;
using khost::testing::FakeTrial;
using khost::testing::Hosted;

namespace {

// Does what a case tells it to.
struct Obedient : Probe {
  struct Config {
    std::function<void(Signals&)> declare = [](Signals&) {};
    std::function<void(const Step&)> observe = [](const Step&) {};
    std::function<void(Trial&)> conclude = [](Trial&) {};
    std::function<void(NullDraw&)> null = [](NullDraw&) {};
  };
  explicit Obedient(const Config& c) : config(c) {}
  static void declare(Signals& s, const Config& c) {
    s.need("alpha.grad", every(2)).emit("value/<i>", "1", "");
    c.declare(s);
  }
  void observe(const Step& step) override { config.observe(step); }
  void conclude(Trial& trial) override { config.conclude(trial); }
  void null(NullDraw& draw) override { config.null(draw); }
  Config config;
};

struct ObedientPolicy : Policy {
  struct Config {
    std::string modifies;
    std::function<void(StepPlan&)> before = [](StepPlan&) {};
    std::function<void(std::vector<std::int64_t>&)> resolve = [](std::vector<std::int64_t>&) {};
  };
  explicit ObedientPolicy(const Config& c) : config(c) {}
  static void declare(Signals& s, const Config& c) {
    if (!c.modifies.empty()) s.modify(c.modifies);
  }
  void before_step(StepPlan& plan) override { config.before(plan); }
  void resolve(const Upstream&, std::vector<std::int64_t>& ranks) override { config.resolve(ranks); }
  Config config;
};

FakeTrial trial_of_two() { return FakeTrial({{"a", 9, 7, 2, 0}, {"none", 9, 7, 0, 0}, {"b", 8, 8, 3, 1}}); }

bool says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  MESSAGE("expected '" << part << "' in: " << text);
  return false;
}

std::string observing(std::function<void(const Step&)> f, const std::vector<std::vector<float>>& gradient = {{1, 2}, {3, 4, 5}}) {
  FakeTrial trial = trial_of_two();
  Obedient::Config c;
  c.observe = std::move(f);
  Hosted<Obedient> probe(c);
  return message_of([&] { trial.step(probe, 2, gradient); });
}

std::string concluding(std::function<void(Trial&)> f) {
  FakeTrial trial = trial_of_two();
  trial.loss = [](const Alphas&) { return 1.0; };
  trial.adapter = {{"a/alpha", {0, 0}}, {"b/alpha", {0, 0, 0}}};
  trial.adapter_loss = [](const AdapterValues& values, Part) { return values.size() == 2 ? 1.0 : 0; };
  Obedient::Config c;
  c.declare = [](Signals& s) { s.evaluations(1); };
  c.conclude = std::move(f);
  Hosted<Obedient> probe(c);
  return message_of([&] { probe.conclude(trial); });
}

}  // namespace

TEST_CASE("a probe under test is shown what it declared, when it declared it, as the host would show it") {
  int looked = 0;
  CHECK(observing([&](const Step& step) {
          const Signal& g = step["alpha.grad"];
          CHECK(g.size() == 2);  // no gradient where K = 0
          CHECK(g[1].name == "b");
          ++looked;
        }) == "");
  CHECK(looked == 1);
  CHECK(says(observing([](const Step& step) { step["loss"]; }), "the signal 'loss' was not declared for step 2"));
  CHECK(says(observing([](const Step& step) { step["loss"]; }), "in probe 'probe' in observe at step 2"));
  CHECK(says(observing([](const Step&) {}, {{1, 2, 3}, {3, 4, 5}}), "has 'a' of shape [3] where the host shows [2]"));
  CHECK(says(observing([](const Step&) {}, {{1, 2}}), "there is none for b"));

  FakeTrial trial = trial_of_two();
  Obedient::Config c;
  c.observe = [&](const Step&) { ++looked; };
  Hosted<Obedient> probe(c);
  trial.step(probe, 1, {{1, 2}, {3, 4, 5}});  // it needs nothing at odd steps, so the host does not call it
  CHECK(looked == 1);
  c.declare = [](Signals& s) { s.need("weight.grad"); };
  Hosted<Obedient> more(c);
  CHECK(says(message_of([&] {
               trial.step(more, 0, {{1, 2}, {3, 4, 5}});
             }),
             "the test does not show 'weight.grad', which the probe needs at step 0"));
  const std::vector<float> flat(100);
  trial.signals.insert_or_assign("weight.grad",
                                 Signal({{"a", {DType::f32, flat.data(), {9, 7}}}, {"b", {DType::f32, flat.data(), {8, 8}}}}));
  CHECK(says(message_of([&] { trial.step(more, 0, {{1, 2}, {3, 4, 5}}); }), "the signal 'weight.grad' has no array 'none'"));
}

TEST_CASE("a base's own basis may be wider than asked, never narrower") {
  FakeTrial trial({{"a", 9, 7, 0, 0}});
  Obedient::Config c;
  c.declare = [](Signals& s) { s.need_basis("svd", 3, at({1})); };
  Hosted<Obedient> probe(c);
  const std::vector<float> flat(100);
  const auto showing = [&](std::int64_t columns_of_u, std::int64_t columns_of_v) {
    trial.signals.insert_or_assign("basis.svd", Signal({{"a/U", {DType::f32, flat.data(), {9, columns_of_u}}},
                                                        {"a/V", {DType::f32, flat.data(), {7, columns_of_v}}}}));
    return message_of([&] { trial.step(probe, 1); });
  };
  CHECK(showing(3, 3) == "");
  CHECK(showing(5, 5) == "");
  CHECK(says(showing(2, 2), "has 'a/U' of shape [9, 2] where the host shows [9, 3]"));
  CHECK(says(showing(5, 4), "has 'a/V' of shape [7, 4] where the host shows [7, 5]"));
  CHECK(says(showing(8, 8), "where the host shows [9, 7]"));
}

TEST_CASE("records of a probe under test are checked as in a trial") {
  CHECK(observing([](const Step& step) { step.record("value/1", 1), step.record("value/2", 1); }) == "");
  CHECK(says(observing([](const Step& step) { step.record("other", 1); }), "the record 'other' was not declared"));
  CHECK(says(observing([](const Step& step) { step.record("value/1", 1), step.record("value/1", 1); }),
             "the record 'probe/value/1' was made twice at step 2"));
  CHECK(says(observing([](const Step& step) { step.record("value/a b", 1); }), "could not be named again: it has a space"));
  CHECK(says(concluding([](Trial& t) { t.record("value/1", 1), t.record("value/1", 1); }), "was made twice in this trial"));
  CHECK(says(concluding([](Trial& t) { t.record("value/1", 4, 1), t.record("value/1", 4, 1); }), "was made twice at step 4"));
  CHECK(says(concluding([](Trial& t) { t.record("value/1", -5, 1); }), "the record 'value/1' was made at step -5"));
  CHECK(says(concluding([](Trial& t) { t.record("value/1", -1, 1); }), "was made at step -1\n"));
  CHECK(concluding([](Trial& t) { t.record("value/1", 1), t.record("value/1", 0, 1), t.record("value/1", 99, 1); }) == "");
  CHECK(says(concluding([](Trial& t) { t.evaluate({{1, 2}}); }), "alphas have another shape than this trial's adapters"));
  CHECK(says(concluding([](Trial& t) { t.evaluate(t.alphas(), Part::held_out); }),
             "  add evaluations(COUNT, khost::Part::held_out) to the probe's declare()"));
  CHECK(says(concluding([](Trial& t) { t.evaluate_adapter({}, Part::calibration); }),
             "evaluating on the calibration part was not declared"));
  CHECK(says(concluding([](Trial& t) {
               t.evaluate_adapter({{"b/alhpa", {1, 2, 3}}}, Part::train);
             }),
             "this trial's adapter has no 'b/alhpa'; did you mean 'b/alpha', 'a/alpha'?"));
  CHECK(says(concluding([](Trial& t) {
               t.evaluate_adapter({{"b/alpha", {1, 2}}}, Part::train);
             }),
             "'b/alpha' takes 3 values, not 2"));
  CHECK(concluding([](Trial& t) { t.record("value/1", t.evaluate_adapter({{"b/alpha", {1, 2, 3}}}, Part::train)); }) == "");
  const auto declaring = [](std::function<void(Signals&)> f) {
    Obedient::Config c;
    c.declare = std::move(f);
    return message_of([&] { Hosted<Obedient>{c}; });
  };
  CHECK(says(declaring([](Signals& s) { s.need("alpha.gard"); }),
             "needs the signal 'alpha.gard', which nothing provides\n  did you mean 'alpha.grad'?"));
  CHECK(says(declaring([](Signals& s) { s.need("basis.svd"); }), "needs the signal 'basis.svd' without saying how many dims"));
  CHECK(says(declaring([](Signals& s) { s.modify("alpha.rank"); }), "but only a policy may"));
  CHECK(says(declaring([](Signals& s) { s.no_null("valeu", "why"); }),
             "declares no_null of 'valeu', a record that it does not emit"));
  CHECK(says(declaring([](Signals& s) { s.null("value/<k>/x", "why"); }), "declares the null of 'value/<k>/x'"));
  CHECK(declaring([](Signals& s) { s.null("value/0", "why"); }) == "");  // one of those that value/<i> stands for
}

TEST_CASE("a policy under test changes what it declared, within the host's bounds") {
  FakeTrial trial = trial_of_two();
  const auto planning = [&](const char* modifies, std::function<void(StepPlan&)> f) {
    Hosted<ObedientPolicy> policy({modifies, std::move(f)});
    return message_of([&] { policy.before_step(trial, 3); });
  };
  CHECK(planning("alpha.scale", [](StepPlan& p) { p.alpha_scale(2)[1] = 0.5f; }) == "");
  CHECK(trial.scale[2] == std::vector<float>{1, 0.5f, 1});
  CHECK(says(planning("alpha.rank", [](StepPlan& p) { p.alpha_scale(0); }), "changing alpha.scale was not declared"));
  CHECK(says(planning("alpha.rank", [](StepPlan& p) { p.set_rank(0, 3); }), "set_rank(0, 3): a has K = 2"));
  CHECK(planning("alpha.rank", [](StepPlan& p) { p.set_rank(0, 1); }) == "");
  CHECK(trial.ranks.at(0) == 1);
  CHECK(planning("alpha", [](StepPlan& p) { p.reset_alpha(2, 1); }) == "");
  CHECK(trial.alphas_reset.at(2) == std::vector<std::int64_t>{1});
  CHECK(says(planning("alpha", [](StepPlan& p) { p.reset_alpha(0, 2); }), "reset_alpha(0, 2): a has K = 2"));
  CHECK(says(planning("alpha", [](StepPlan& p) { p.reset_alpha(0, -1); }), "reset_alpha(0, -1): a has K = 2"));
  CHECK(says(planning("alpha.scale", [](StepPlan& p) { p.reset_alpha(2, 1); }), "changing alpha was not declared"));
  Hosted<ObedientPolicy> beyond({"adapter.rank", [](StepPlan&) {}, [](std::vector<std::int64_t>& ranks) { ranks[0] = 8; }});
  CHECK(says(message_of([&] { beyond.resolve(trial); }), "resolve() gave a a rank of 8; it can have 0 to 7"));
  Hosted<ObedientPolicy> secret({"", [](StepPlan&) {}, [](std::vector<std::int64_t>& ranks) { ranks[0] = 1; }});
  CHECK(says(message_of([&] { secret.resolve(trial); }), "changing adapter.rank was not declared"));
}

TEST_CASE("draws of a null are the host's: only declared records, each once a draw") {
  const auto drawing = [](std::function<void(NullDraw&)> f) {
    Obedient::Config c;
    c.declare = [](Signals& s) { s.null("*", "why"); };
    c.null = std::move(f);
    return message_of([&] { testing::null_draws<Obedient>(c, trial_of_two().info(), 2); });
  };
  CHECK(drawing([](NullDraw& d) { d.record("value/1", d.random().normal()); }) == "");
  CHECK(says(drawing([](NullDraw& d) { d.record("vlaue/1", 1); }), "the record 'vlaue/1' of the null was not declared"));
  CHECK(says(drawing([](NullDraw& d) { d.record("value/1", 1), d.record("value/1", 1); }),
             "was made twice in one draw of its null"));
}

TEST_CASE("an instance serves one trial: a second is made anew") {
  FakeTrial first = trial_of_two(), second = trial_of_two();
  int made = 0;
  testing::HostedProbe probe(Signals{}, false, [&] { return ++made, std::make_shared<Obedient>(Obedient::Config{}); });
  probe.begin(first);
  CHECK(made == 1);
  probe.conclude(first);
  probe.conclude(second);
  CHECK(made == 2);
}
