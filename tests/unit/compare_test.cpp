// Two runs side by side, made by hand: what is paired, what is the same, and what is said of it.
#include "compare/compare.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "report/text.hpp"
#include "store/differences.hpp"
#include "store/run_database.hpp"
#include "unit/planned.hpp"
#include "unit/scratch.hpp"

using namespace khost;

namespace {

constexpr double absent = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

struct OneTrial {
  TrialKey key;
  std::vector<Record> records;
  std::string hash = {};
  std::string identity = "{}";
  std::string status = "done";
};

// A run of these trials; `change` says how it differs from the usual one.
struct Made {
  std::vector<OneTrial> trials;
  Run run = usual();

  static Run usual() {
    Run run;
    run.experiment = "small";
    run.hash = "0123456789abcdef";
    run.environment = {"0.1.0", "openblas", "OpenBLAS", "0.3.21", "SkylakeX", "A CPU", 1, 2};
    run.manifest = "{}";
    run.started = "2026-11-27 02:40:11 UTC";
    run.finished = "2026-11-27 02:41:11 UTC";
    return run;
  }
};

class Runs {
 public:
  void keep(const std::string& name, const Made& made, bool finishes = true) const {
    Plan plan;
    Run run = made.run;
    for (const OneTrial& t : made.trials) {
      plan.trials.push_back(planned(t.key, t.hash.empty() ? name + t.key.text() : t.hash));
      plan.trials.back().identity = parse_json(t.identity, "a test");
    }
    std::filesystem::create_directory(scratch / name);
    RunDatabase database(scratch / name + "/run.db", run, plan);
    for (const OneTrial& t : made.trials) {
      if (t.status == "waiting") continue;
      TrialResult result;
      result.key = t.key, result.hash = t.hash, result.status = t.status;
      for (const Record& r : t.records) result.add(r);
      database.keep(result);
    }
    if (finishes) database.finish(run);
    database.close();
  }
  Comparison compared(const CompareOptions& options = {}) const {
    return compare_runs(RunReader(scratch / "a"), RunReader(scratch / "b"), options);
  }
  Comparison compared(const Made& a, const Made& b, const CompareOptions& options = {}) const {
    keep("a", a), keep("b", b);
    return compared(options);
  }

 private:
  Scratch scratch;
};

// One arm with a record of these values, by seed.
Made with_values(const std::vector<double>& values) {
  Made made;
  for (std::size_t seed = 0; seed < values.size(); ++seed)
    made.trials.push_back({{"A", "plain", 0, seed}, {{"loss", "final", -1, values[seed], "nats"}}});
  return made;
}

// One trial with a record of these values, by step from 0.
Made with_steps(const std::vector<double>& values, const char* name = "train") {
  Made made;
  made.trials.push_back({{"A", "plain", 0, 3}, {}});
  for (std::size_t step = 0; step < values.size(); ++step)
    made.trials[0].records.push_back({"loss", name, static_cast<std::int64_t>(step), values[step], "nats"});
  return made;
}

ComparedRecord only_record(const Comparison& c) {
  REQUIRE(c.records.size() == 1);
  return c.records[0];
}

CompareOptions within(double relative, double absolute = 0) { return {{relative, absolute}, {}}; }

Json claim(const char* id, const char* verdict, double estimate, double level = 0.95, const char* hash = "abc") {
  return Json::object({{"id", id},
                       {"base", "plain"},
                       {"verdict", verdict},
                       {"would_be", Json()},
                       {"estimate", estimate},
                       {"low", estimate - 0.25},
                       {"high", estimate + 0.25},
                       {"level", level},
                       {"seeds", 3},
                       {"hash", hash}});
}

std::vector<std::string> texts(const std::vector<Contrast>& all) {
  std::vector<std::string> out;
  for (const Contrast& c : all)
    out.push_back(c.what + " " + (c.first.empty() ? "-" : c.first) + " " + (c.second.empty() ? "-" : c.second) +
                  (c.places > 1 ? " x" + std::to_string(c.places) : ""));
  return out;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("compare: a record is identical, the same, or differs by the bound that was given") {
  using Answer = Comparison::Answer;
  const auto sameness = [](double a, double b, const CompareOptions& options) {
    return only_record(Runs().compared(with_values({a}), with_values({b}), options)).sameness;
  };
  CHECK(sameness(2, 2, within(0)) == Sameness::identical);
  CHECK(sameness(2, 2 + 1e-15, within(0)) == Sameness::differs);
  CHECK(sameness(8, 8.5, within(0.0625)) == Sameness::same);  // of the larger one, to the bit: 0.53125
  CHECK(sameness(8, 8.5, within(0.05882)) == Sameness::differs);
  CHECK(sameness(8.5, 8, within(0.05883)) == Sameness::same);
  CHECK(sameness(8, 8.5, within(0, 0.5)) == Sameness::same);
  CHECK(sameness(8, 8.5, within(0, 0.499)) == Sameness::differs);
  CHECK(sameness(8, 8.5, within(0.03, 0.25)) == Sameness::same);  // both bounds together
  CHECK(sameness(0.0, -0.0, within(0)) == Sameness::same);
  CHECK(sameness(absent, absent, within(0)) == Sameness::identical);
  CHECK(sameness(infinity, infinity, within(0)) == Sameness::identical);
  CHECK(sameness(absent, 1, within(1e9)) == Sameness::differs);
  CHECK(sameness(1, infinity, within(1e9, 1e9)) == Sameness::differs);
  CHECK(sameness(-infinity, infinity, within(1e9, 1e9)) == Sameness::differs);

  const Comparison same = Runs().compared(with_values({2, 3}), with_values({2, 3}));
  CHECK(same.answer() == Answer::identical);
  CHECK(answer_text(same) == "same bit for bit: 1 record of 2 paired trials");
  const Comparison near = Runs().compared(with_values({2, 3}), with_values({2, 3.0001}));
  CHECK(near.answer() == Answer::same);
  CHECK(answer_text(near) == "same within tolerance (rtol 0.0001): 1 record of 2 paired trials, 0 of them bit for bit");
  const Comparison far = Runs().compared(with_values({2, 3}), with_values({2, 4}));
  CHECK(far.answer() == Answer::differs);
  CHECK(answer_text(far) ==
        "1 of 1 record of 2 paired trials differs (rtol 0.0001), the largest: plain/A/loss/final, 3 against 4 at seed 1");
}

TEST_CASE("compare: a value near zero is as large as the record is over seeds") {
  // rms of 3 and 0.5 is 2.15: a difference of 0.2 is 9.3 % of it.
  const auto record = [](double second, double bound) {
    return only_record(Runs().compared(with_values({3, 0.5}), with_values({3, second}), within(bound)));
  };
  CHECK(record(0.7, 0.094).sameness == Sameness::same);
  CHECK(record(0.7, 0.092).sameness == Sameness::differs);
  CHECK(record(0.7, 0.092).relative == doctest::Approx(0.2 / std::sqrt(4.625)));
  // A absent value does not count.
  CHECK(only_record(Runs().compared(with_values({absent, 0.5}), with_values({absent, 0.7}), within(0.29))).sameness ==
        Sameness::same);
  CHECK(only_record(Runs().compared(with_values({absent, 0.5}), with_values({absent, 0.7}), within(0.28))).sameness ==
        Sameness::differs);
}

TEST_CASE("compare: the paired difference with its interval, the largest one and its place, and all in spreads over seeds") {
  const ComparedRecord r = only_record(Runs().compared(with_values({1, 5, 9}), with_values({2, 3, 12})));
  CHECK(r.difference.n == 3);
  CHECK(r.difference.mean == doctest::Approx(2.0 / 3));
  CHECK(r.difference.high - r.difference.mean == doctest::Approx(4.302652729911275 * std::sqrt(19.0 / 3) / std::sqrt(3.0)));
  CHECK(r.spread == doctest::Approx(4));
  CHECK(r.largest_by_spread == doctest::Approx(0.75));
  CHECK(r.first == 9);
  CHECK(r.second == 12);
  CHECK(r.largest.seed == 2);
  CHECK(r.points == 3);
  CHECK(r.outside == 3);
  CHECK(std::isnan(only_record(Runs().compared(with_values({1}), with_values({2}))).largest_by_spread));
  CHECK(only_record(Runs().compared(with_values({1, 1}), with_values({2, 2}))).largest.seed == 0);  // the first of equal ones
}

TEST_CASE("compare: series by step, where they part, and what only one of them has") {
  const ComparedRecord same = only_record(Runs().compared(with_steps({5, 4, 3}), with_steps({5, 4, 3})));
  CHECK(same.by_step);
  CHECK(same.sameness == Sameness::identical);
  CHECK(same.points == 3);
  CHECK_FALSE(same.first_outside);

  const ComparedRecord parts = only_record(Runs().compared(with_steps({5, 4, 3, 2}), with_steps({5, 4.0001, 3.5, 3, 7})));
  CHECK(parts.sameness == Sameness::differs);
  CHECK(parts.identical == 1);
  CHECK(parts.outside == 2);
  CHECK(parts.first_outside->step == 2);
  CHECK(parts.first_outside->seed == 3);
  CHECK(parts.largest.step == 3);
  CHECK(parts.second == 3);
  CHECK(parts.only_second == 1);
  CHECK(parts.only_first == 0);
  CHECK(parts.difference.n == 1);
  CHECK(parts.difference.mean == doctest::Approx(1.5001 / 4));

  // The least step over all trials, whichever comes first.
  Made a, b;
  for (const auto& [seed, step] : {std::pair(0, 2), std::pair(1, 1)}) {
    const TrialKey key{"A", "plain", 0, static_cast<std::uint64_t>(seed)};
    a.trials.push_back({key, {}}), b.trials.push_back({key, {}});
    for (int i = 0; i < 4; ++i) {
      a.trials.back().records.push_back({"loss", "train", i, 1, "nats"});
      b.trials.back().records.push_back({"loss", "train", i, i >= step ? 2.0 : 1.0, "nats"});
    }
  }
  const ComparedRecord both = only_record(Runs().compared(a, b));
  CHECK(both.first_outside->step == 1);
  CHECK(both.first_outside->seed == 1);
  CHECK(both.outside == 5);

  const Comparison unlike = Runs().compared(with_steps({1, 2}, "x"), with_steps({1, 2}, "y"));
  CHECK(unlike.records.size() == 2);
  CHECK(unlike.count(Sameness::one_sided) == 2);
  CHECK(unlike.answer() == Comparison::Answer::nothing);
  CHECK(answer_text(unlike) == "nothing to compare: no record is in both trials of any of 1 pair");
}

TEST_CASE("compare: where a series passes through zero, the sixteen last steps say how large it is") {
  std::vector<double> first(40, 0.001), second(40, 0.001);
  first[5] = second[5] = 1;
  second[20] = 0.0015;  // 15 steps after the 1: still within its reach
  CHECK(only_record(Runs().compared(with_steps(first), with_steps(second), within(0.001))).sameness == Sameness::same);
  second[20] = 0.001, second[21] = 0.0015;
  const ComparedRecord late = only_record(Runs().compared(with_steps(first), with_steps(second), within(0.001)));
  CHECK(late.sameness == Sameness::differs);
  CHECK(late.first_outside->step == 21);
  CHECK(late.relative == doctest::Approx(1.0 / 3));

  // Of its own trial: what the one before ended with is none of it.
  Made a = with_steps({1000}), b = a;
  for (Made* made : {&a, &b}) {
    made->trials.push_back(made->trials[0]);
    made->trials[1].key.seed = 4;
    made->trials[1].records[0].value = made == &a ? 0.001 : 0.0015;
  }
  CHECK(only_record(Runs().compared(a, b, within(0.001))).outside == 1);
}

TEST_CASE("compare: what differs most is first, and a record of one run alone is no difference but is said") {
  Made a = with_values({1}), b = with_values({1.5});
  a.trials[0].records = {{"p", "equal", -1, 1, "1"},
                         {"p", "near", -1, 1, "1"},
                         {"p", "far", -1, 100, "1"},
                         {"p", "wide", -1, 1, "1"},
                         {"p", "gone", -1, 1, "1"}};
  b.trials[0].records = {{"p", "equal", -1, 1, "1"},
                         {"p", "near", -1, 1.00001, "1"},
                         {"p", "far", -1, 110, "1"},
                         {"p", "wide", -1, 2, "1"},
                         {"p", "new", -1, 1, "1"}};
  const Comparison c = Runs().compared(a, b);
  std::vector<std::string> names;
  for (const ComparedRecord& r : c.records) names.push_back(r.name);
  CHECK(names == Texts{"wide", "far", "gone", "new", "near", "equal"});
  CHECK(c.compared() == 4);
  CHECK(c.count(Sameness::differs) == 2);
  CHECK_FALSE(c.is_whole());
  CHECK(has(answer_text(c), "2 of 4 records of 1 paired trial differ (rtol 0.0001), the largest: plain/A/p/wide, 1 against 2"));
  CHECK(has(answer_text(c), "; what one of them has alone is named below"));
  const std::string text = comparison_text(c, 100);
  CHECK(has(
      text,
      "2 records of paired trials, or points of them, stand in one run alone:\n  1 of p in the first; 1 of p in the second\n"));

  b.trials[0].records[2].value = 100, b.trials[0].records[3].value = 1;
  CHECK(Runs().compared(a, b).answer() == Comparison::Answer::partly);
}

TEST_CASE("compare: trials are paired by base, draw, arm and seed; what has no counterpart is named") {
  const auto trial = [](const char* base, const char* arm, std::uint64_t seed, const char* status = "done",
                        std::int64_t draw = 0) {
    return OneTrial{{arm, base, draw, seed}, {{"loss", "final", -1, 1, "nats"}}, {}, "{}", status};
  };
  Made a, b;
  a.trials = {trial("one", "A", 0), trial("one", "A", 1), trial("one", "A", 2), trial("one", "B", 0),
              trial("one", "C", 0), trial("one", "C", 1), trial("two", "A", 0), trial("one", "A", 0, "done", 1)};
  b.trials = {trial("one", "A", 1), trial("one", "A", 0, "waiting"), trial("one", "D", 0), trial("one", "B", 0, "failed"),
              trial("one", "A", 5)};
  const Runs runs;
  runs.keep("a", a), runs.keep("b", b, false);
  const Comparison c = runs.compared();
  CHECK(c.pairs == 1);
  CHECK(c.same_hash == 0);
  CHECK(c.first.unpaired == Texts{"base two (1 trial)", "arm C on base one (2 trials)", "seed 2 and seed 0 of draw 1 of one/A"});
  CHECK(c.first.unpaired_trials == 5);
  CHECK(c.first.unfinished.empty());
  CHECK(c.second.unpaired == Texts{"arm D on base one (1 trial)", "seed 5 of one/A"});
  CHECK(c.second.unfinished == Texts{"seed 0 of all arms"});  // that have a counterpart: A and B
  CHECK(c.second.unfinished_trials == 2);
  CHECK(c.notes ==
        Texts{"both are the same run by its hash: manifest, seeds, backend and plugins",
              "the second has not come to its end (begun 2026-11-27 02:40:11 UTC): what is finished of it is compared; "
              "bases and claims are written at its end"});
  CHECK(c.answer() == Comparison::Answer::partly);

  const Comparison mapped = runs.compared({{}, {{"C", "A"}, {"B", "D"}}});
  CHECK(mapped.pairs == 3);
  CHECK(mapped.second.unfinished_trials == 1);  // A of seed 0, though two are paired with it
  CHECK(mapped.records[0].arm == "A");
  CHECK(mapped.records[1].arm == "B=D");
  CHECK(mapped.records[2].arm == "C=A");
  CHECK(mapped.second.unpaired == Texts{"arm B on base one (1 trial)", "seed 5 of one/A"});
  a.trials.clear();
  for (const std::uint64_t seed : {9, 0, 1, 2, 3, 5, 6, 8}) a.trials.push_back(trial("one", seed == 9 ? "B" : "A", seed));
  b.trials = {trial("one", "A", 0), trial("one", "B", 0)};
  CHECK(Runs().compared(a, b).first.unpaired == Texts{"seed 9 of one/B", "seeds 1 to 3, 5, 6, 8 of one/A"});
  b.trials = {trial("one", "A", 0)};
  a.trials = {trial("one", "A", 0), trial("one", "A", 1)};
  const Comparison longer = Runs().compared(a, b);
  CHECK(longer.first.unpaired == Texts{"seed 1 of one/A"});  // which is all arms, and has a name
  CHECK(longer.answer() == Comparison::Answer::partly);
  b.trials = {trial("one", "A", 0), trial("one", "A", 1, "waiting")};
  CHECK(Runs().compared(a, b).answer() == Comparison::Answer::partly);
  b.trials[1].status = "done";
  CHECK(Runs().compared(a, b).answer() == Comparison::Answer::identical);
  CHECK_THROWS_WITH_AS(runs.compared({{}, {{"E", "A"}}}), doctest::Contains("--arms: the first run has no arm 'E'"), Error);
  CHECK_THROWS_WITH_AS(runs.compared({{}, {{"A", "C"}}}), doctest::Contains("--arms: the second run has no arm 'C'"), Error);
}

TEST_CASE("compare: where identities differ is said of arms, apart from what they were computed with") {
  const auto identity = [](int rank, const char* backend, const char* sources, const char* groups) {
    return R"({"adapter": {"basis": "svd", "ranks": {"x": )" + std::to_string(rank) + R"(, "y": )" + std::to_string(rank) +
           R"(}}, "base": ")" + backend + R"(", "code": {"sources": ")" + sources + R"("}, "environment": {"plugin": ")" +
           backend + R"("}, "data": {"content": "text"}, "probes": [{"name": "snr", "plugin": "snr", "content": ")" + sources +
           R"(", "config": {"groups": )" + groups + R"(}}]})";
  };
  Made a, b;
  for (const char* base : {"one", "two"})
    for (const std::uint64_t seed : {0, 1}) {
      a.trials.push_back({{"A", base, 0, seed}, {}, {}, identity(32, "openblas", "1111111111111111", "[1]")});
      b.trials.push_back(
          {{"A", base, 0, seed}, {}, {}, identity(64, "onednn", "2222222222222222", base[0] == 'o' ? "[2]" : "[1]")});
    }
  const Comparison c = Runs().compared(a, b);
  CHECK(texts(c.arms) == Texts{"A: adapter.rank 32 64", "A on one: probes[snr].config.groups[0] 1 2"});
  CHECK(texts(c.environment) == Texts{"code.sources 111111111111 222222222222"});

  // What one of two arms differs in is not all arms'.
  for (const std::uint64_t seed : {0, 1})
    for (Made* made : {&a, &b}) made->trials.push_back({{"B", "one", 0, seed}, {}, {}, R"({"steps": 1})"});
  a.run.manifest = R"({"arms": {"A": {"adapter": {"rank": 32}}}})",
  b.run.manifest = R"({"arms": {"A": {"adapter": {"rank": 64}}}})";
  const Comparison two = Runs().compared(a, b);
  CHECK(texts(two.arms)[0] == "A: adapter.rank 32 64");
  // Said of arms, it is not said of manifests once more.
  CHECK_FALSE(has(comparison_text(two, 100), "arms.*.adapter.rank"));
  CHECK(texts(two.manifest) == Texts{"arms.*.adapter.rank 32 64"});
  for (OneTrial& t : b.trials) t.identity = R"({"steps": 1})";
  for (OneTrial& t : a.trials) t.identity = R"({"steps": 2})";
  CHECK(texts(Runs().compared(a, b).arms) == Texts{"all arms: steps 2 1"});
  for (OneTrial& t : a.trials) t.identity = R"({"steps": 1})";
  CHECK(has(comparison_text(Runs().compared(a, b), 100), "The manifests differ in\n  arms.*.adapter.rank: 32 against 64\n"));

  // Ranks that are not one are told one by one; another text is another arm.
  a.trials.resize(1), b.trials.resize(1);
  a.trials[0].identity = R"({"adapter": {"ranks": {"x": 1, "y": 2}}, "data": {"content": "text 1"}})";
  b.trials[0].identity = R"({"adapter": {"ranks": {"x": 1, "y": 3}}, "data": {"content": "text 2"}})";
  CHECK(texts(Runs().compared(a, b).arms) == Texts{"A: adapter.ranks.y 2 3", "A: data.content text 1 text 2"});
}

TEST_CASE("compare: manifests, environments, plugins and bases, each difference once") {
  Made a = with_values({1}), b = with_values({1});
  a.run.manifest =
      R"({"title": "", "steps": 5, "arms": {"A": {"optimizer": {"lr": 1}}, "B": {"optimizer": {"lr": 1}}}, "seeds": 2})";
  b.run.manifest = R"({"steps": 5, "arms": {"A": {"optimizer": {"lr": 2}}, "B": {"optimizer": {"lr": 2}}, "C": {}}})";
  b.run.environment.backend = "onednn", b.run.environment.threads = 4, b.run.environment.notes = {"slow"};
  a.run.artifacts.backend = b.run.artifacts.backend = "openblas", b.run.artifacts.kernel = "Zen";
  a.run.plugins = {{"probe", "snr", "/x", "0123456789abcdef"}, {"probe", "old", "/x", "1"}, {"model", "gpt", "/x", "1"}};
  b.run.plugins = {{"probe", "snr", "/y", "fedcba9876543210"}, {"probe", "new", "/x", "1"}, {"model", "gpt", "/y", "1"}};
  a.run.bases = {{"plain", 0, "00001111222233334444", "5 steps", ""}, {"same", 0, "1", "", ""}};
  b.run.bases = {{"plain", 0, "99991111222233334444", "6 steps", ""}, {"same", 0, "1", "", ""}};
  const Comparison c = Runs().compared(a, b);
  CHECK(texts(c.manifest) == Texts{"arms.*.optimizer.lr 1 2 x2", "arms.C - {}", "title \"\" -", "seeds 2 -"});
  CHECK(texts(c.environment) == Texts{"backend openblas onednn", "threads 1 4", "notes - slow", "of bases: kernel - Zen",
                                      "plugin old (probe) 1 -", "plugin snr (probe) 0123456789ab fedcba987654",
                                      "plugin new (probe) - 1", "base plain 000011112222: 5 steps 999911112222: 6 steps"});
}

TEST_CASE("compare: a changed verdict comes before all else, and is told from one by its level") {
  Made a = with_values({1}), b = with_values({1});
  a.run.claims = Json::List{claim("kept", "confirmed", 1), claim("turned", "confirmed", 2, 0.95), claim("gone", "falsified", 3),
                            claim("moved", "confirmed", 4), claim("reworded", "confirmed", 5)};
  b.run.claims = Json::List{claim("kept", "confirmed", 1), claim("turned", "inconclusive", 2, 0.99), claim("new", "falsified", 3),
                            claim("moved", "confirmed", 4.5), claim("reworded", "confirmed", 5, 0.95, "def")};
  const Comparison c = Runs().compared(a, b);
  CHECK(c.changed_verdicts() == 1);
  CHECK(c.answer() == Comparison::Answer::differs);
  CHECK(answer_text(c).starts_with("1 verdict changed; same bit for bit: 1 record of 1 paired trial"));
  const std::string text = comparison_text(c, 100);
  CHECK_MESSAGE(text.starts_with("\nChanged verdicts:\n"
                                 "  turned on plain, by its level alone: another number of claims, or another look\n"
                                 "    first   confirmed, 2.000 (1.750 .. 2.250 at 95 %)\n"
                                 "    second  inconclusive, 2.000 (1.750 .. 2.250 at 99 %)\n"),
                text);
  CHECK_MESSAGE(has(text, "3 verdicts are the same, 1 with the same estimate to the digits shown\n"), text);
  CHECK(has(text, "  moved on plain\n    first   confirmed, 4.000"));
  CHECK(has(text, "  reworded on plain, which is another claim in the second\n"));
  CHECK(has(text, "judged in the first alone: gone on plain\n"));
  CHECK(has(text, "judged in the second alone: new on plain\n"));
  b.run.claims = Json::List{claim("turned", "inconclusive", 2)};
  CHECK_FALSE(has(comparison_text(Runs().compared(a, b), 100), "by its level alone"));
  b.run.claims = Json::List{claim("turned", "inconclusive", 2.5, 0.99)};
  CHECK_FALSE(has(comparison_text(Runs().compared(a, b), 100), "by its level alone"));
  b.run.claims = Json::List{};
  CHECK(Runs().compared(a, b).answer() == Comparison::Answer::partly);
  CHECK(has(comparison_text(Runs().compared(a, b), 100), "\nThe first alone has verdicts: 5\n"));

  // Of a claim that was made after its data: what it would be.
  Json before = claim("late", "post hoc", 1), after = claim("late", "post hoc", 1);
  before.set("would_be", "confirmed"), after.set("would_be", "falsified");
  a.run.claims = Json::List{before}, b.run.claims = Json::List{before};
  CHECK(Runs().compared(a, b).answer() == Comparison::Answer::identical);
  b.run.claims = Json::List{after};
  CHECK(Runs().compared(a, b).changed_verdicts() == 1);
}

TEST_CASE("compare: the same hash with other records is a contradiction, and is said") {
  Made a = with_values({1, 2, 3}), b = with_values({1, 2, 3});
  for (Made* made : {&a, &b})
    for (OneTrial& t : made->trials) t.hash = "h" + std::to_string(t.key.seed);
  CHECK(Runs().compared(a, b).same_hash == 3);
  b.run.hash = "another";
  CHECK(Runs().compared(a, b).notes.empty());
  b.trials[1].records[0].value = 2.0000001;
  const Comparison c = Runs().compared(a, b);
  REQUIRE(c.notes.size() == 1);
  CHECK(has(c.notes[0], "its records are others: arm A, base plain, seed 1."));
  b.trials[1].hash = "other";
  CHECK(Runs().compared(a, b).notes.empty());
}

TEST_CASE("compare: a run with itself, another experiment, nothing in common") {
  const Runs runs;
  runs.keep("a", with_values({1}));
  Made other = with_values({1});
  other.run.experiment = "other", other.run.hash = "f", other.trials[0].key.base = "elsewhere";
  runs.keep("b", other);
  CHECK(runs.compared().notes == Texts{"they are runs of two experiments, small and other"});
  CHECK(runs.compared().answer() == Comparison::Answer::nothing);
  CHECK(answer_text(runs.compared()) == "nothing to compare: no trial that is finished in one is finished in the other");
  CHECK_FALSE(comparison_text(runs.compared(), 100).empty());
}

TEST_CASE("compare: text fits its width; page and JSON have all, and no text of a run is markup") {
  Made a, b;
  const std::string evil = "<img src=x onerror='a()'>\"&\x1b[2J";
  for (int i = 0; i < 30; ++i) {
    const std::string name =
        "and/a/record/whose/name/does/not/end/before/the/line/does/and/goes/on/further/than/that/" + std::to_string(i);
    for (Made* made : {&a, &b}) {
      if (i == 0) made->trials.push_back({{"A", evil, 0, 0}, {}});
      made->trials[0].records.push_back({"p", name, -1, made == &a ? 1 : 1.0 + i, evil});
      made->trials[0].records.push_back({"p", name, 1000000 + i, made == &a ? 1 : 1.0 + i, evil});
    }
  }
  a.run.manifest = R"({"title": ")" + std::string(500, 'x') + R"("})";
  a.run.claims = Json::List{claim("<b>", "confirmed", 1)}, b.run.claims = Json::List{claim("<b>", "falsified", 1)};
  const Comparison c = Runs().compared(a, b);
  std::istringstream lines(comparison_text(c, 100));
  for (std::string line; std::getline(lines, line);) {
    CHECK_MESSAGE(columns(line) <= 100, line);
    CHECK_FALSE(line.ends_with(' '));
  }
  CHECK(has(comparison_text(c, 100), "and 46 more: --json and --html FILE have all of it"));

  const std::string page = comparison_page({c});
  for (const std::string markup : {"<img", "<b>", "\x1b", "onerror='", "<script", "://"})
    CHECK_FALSE_MESSAGE(has(page, markup), markup);
  CHECK(has(page, "&lt;img src=x onerror=&#39;a()&#39;&gt;&quot;&amp;\\x1b[2J"));
  for (const std::string part :
       {"<caption>", "<th scope=\"col\"", "<th scope=\"row\">", "prefers-color-scheme: dark", "lang=\"en\"",
        "<td>confirmed, 1.000 (0.750 .. 1.250 at 95 %)</td><td>falsified", "further/than/that/29"})
    CHECK_MESSAGE(has(page, part), part);
  for (const char* name : {"table", "section", "details", "main", "html", "tr", "div", "thead", "tbody", "caption"}) {
    const auto count = [&](const std::string& text) {
      int n = 0;
      for (std::size_t at = page.find(text); at != page.npos; at = page.find(text, at + 1)) ++n;
      return n;
    };
    const std::string open = std::string("<") + name;
    CHECK_MESSAGE(count(open + ">") + count(open + " ") == count(std::string("</") + name + ">"), name);
  }

  const Json json = comparison_json(c);
  CHECK(json.at("answer").as_string() == "differs");
  CHECK(json.at("text").as_string() == answer_text(c));
  CHECK(json.at("pairs").as_integer() == 1);
  CHECK(json.at("counts").at("differs").as_integer() == 58);
  CHECK(json.at("counts").at("changed_verdicts").as_integer() == 1);
  REQUIRE(json.at("records").as_list().size() == 60);
  const Json& worst = json.at("records").as_list()[0];
  CHECK(worst.at("relative").as_number() == doctest::Approx(29.0 / 30));
  CHECK(worst.at("difference").at("mean").as_number() == 29);
  CHECK(worst.at("largest").at("second").as_number() == 30);
  CHECK(json.at("claims").as_list()[0].at("first").at("verdict").as_string() == "confirmed");
  CHECK(json.at("manifest").as_list()[0].at("second").is_null());
}

TEST_CASE("compare: JSON differs by keys and by the names of list entries, else by number, else as a whole") {
  const auto diff = [](const char* first, const char* second) {
    Texts out;
    for (const JsonDifference& d : json_differences(parse_json(first, "a"), parse_json(second, "b")))
      out.push_back(d.at() + " " + (d.first ? d.first->text() : "-") + " " + (d.second ? d.second->text() : "-"));
    return out;
  };
  CHECK(diff(R"({"p": [{"plugin": "a", "x": 1}, {"plugin": "b"}]})",
             R"({"p": [{"plugin": "b"}, {"plugin": "a", "x": 2}, {"plugin": "c"}]})") ==
        Texts{"p[a].x 1 2", R"(p[c] - {"plugin":"c"})"});
  CHECK(diff(R"([{"plugin": "a"}, {"plugin": "b"}])", R"([{"plugin": "b"}, {"plugin": "a"}])") ==
        Texts{R"( [{"plugin":"a"},{"plugin":"b"}] [{"plugin":"b"},{"plugin":"a"}])"});
  CHECK(diff(R"([{"plugin": "a", "x": 1}, {"plugin": "a", "as": "z", "x": 1}])",
             R"([{"plugin": "a", "x": 1}, {"plugin": "a", "as": "z", "x": 2}])") == Texts{"[z].x 1 2"});
  CHECK(diff(R"([1, 2])", R"([1, 3])") == Texts{"[1] 2 3"});
  CHECK(diff(R"({"a": null})", R"({})") == Texts{"a null -"});
}

TEST_CASE("compare: a cursor gives what a visit gives, by probe, name and step") {
  const Scratch scratch;
  const TrialKey key{"A", "plain", 0, 0};
  Plan plan;
  plan.trials = {planned(key, "h")};
  RunDatabase database(scratch / "run.db", Made::usual(), plan);
  TrialResult result;
  result.key = key, result.hash = "h", result.status = "done";
  const std::vector<Record> records = {
      {"q", "z", -1, 1, "1"}, {"q", "a", 1, 2, "1"}, {"q", "a", 0, absent, "1"}, {"p", "z", -1, -0.0, "nats"}};
  for (const Record& r : records) result.add(r);
  database.keep(result);
  database.close();
  const RunReader reader(scratch / "run.db");
  RunReader::Cursor cursor = reader.records_of(key);
  Texts found;
  for (Record r; cursor.next(r);)
    found.push_back(r.probe + "/" + r.name + " " + std::to_string(r.step) + " " + std::to_string(r.value) + " " + r.unit);
  CHECK(found == Texts{"p/z -1 -0.000000 nats", "q/a 0 nan 1", "q/a 1 2.000000 1", "q/z -1 1.000000 1"});
  Record none;
  CHECK_FALSE(reader.records_of({"B", "plain", 0, 0}).next(none));
}
