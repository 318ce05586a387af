#include "stats/claims.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "khost/random.hpp"

using namespace khost;

namespace {

constexpr double absent = std::numeric_limits<double>::quiet_NaN();

Claim claim_of(const std::string& id, const std::string& measure, std::vector<Let> let, const std::string& predicts,
               double margin) {
  Claim claim;
  claim.id = id, claim.measure = measure, claim.let = std::move(let), claim.predicts = predicts, claim.margin = margin;
  claim.scale = "linear";
  return claim;
}

struct Small {
  Experiment experiment;
  std::vector<TrialResult> trials;

  Small() {
    for (const char* base : {"null", "trained"}) {
      BaseRecipe recipe;
      recipe.name = base;
      experiment.bases.push_back(recipe);
    }
  }
  TrialResult& trial(const std::string& base, const std::string& arm, std::uint64_t seed) {
    TrialResult& t = trials.emplace_back();
    t.key = {arm, base, 0, seed};
    t.status = "done";
    return t;
  }
  // Losses of A around 5 and of B 1 lower on base null, equal on trained; a noisy figure "n/x" around 0.
  void fill(int seeds) {
    Random random(1, "claims", "test");
    for (const char* base : {"null", "trained"})
      for (int seed = 0; seed < seeds; ++seed) {
        const double window = random.normal(), better = base == std::string("null") ? 1 : 0;
        for (const char* arm : {"A", "B"}) {
          TrialResult& t = trial(base, arm, static_cast<std::uint64_t>(seed));
          t.add({"loss", "final", -1, 5 + window + 0.01 * random.normal() - (arm[0] == 'B' ? better : 0), "nats"});
          for (int l = 0; l < 4; ++l) t.add({"n", "x/layer" + std::to_string(l), -1, random.normal(), "1"});
        }
      }
  }
};

std::map<std::string, NullDraws> standard_normal(const std::vector<std::string>& records) {
  std::map<std::string, NullDraws> out;
  Random random(2, "null", "test");
  for (const char* arm : {"A", "B"}) {
    out[arm].count = 1000;
    for (const std::string& r : records)
      for (int i = 0; i < 1000; ++i) out[arm].records[r].push_back(static_cast<float>(random.normal()));
  }
  return out;
}

}  // namespace

TEST_CASE("claims: arms are paired by seed, each base has its verdict, and losses have no guard") {
  Small small;
  small.experiment.claims = {claim_of("b-wins", "b - a", {{"a", {"A/loss/final"}}, {"b", {"B/loss/final"}}}, "< 0", 0.1)};
  small.fill(10);
  const auto judged = judge_claims(small.experiment, small.trials, {});
  REQUIRE(judged.size() == 2);
  CHECK(judged[0].base == "null");
  CHECK(judged[0].seeds.size() == 10);
  // Windows differ by about 1 between seeds: only the paired difference can tell.
  CHECK(judged[0].verdict.estimate == doctest::Approx(-1).epsilon(0.02));
  CHECK(judged[0].verdict.kind == VerdictKind::confirmed);
  CHECK(judged[1].verdict.kind == VerdictKind::falsified);
  CHECK(judged[0].without_null == std::vector<std::string>{"A/loss/final", "B/loss/final"});
  CHECK(judged[0].verdict.no_guard);
  CHECK_FALSE(judged[0].verdict.null_share);
  CHECK_FALSE(judged[0].null);
}

TEST_CASE("claims: what noise alone reaches is explained by it") {
  Small small;
  small.experiment.claims = {claim_of("near-zero", "mean(x)", {{"x", {"A/n/x/layer*"}}}, "in [-5, 5]", 0.5)};
  small.fill(10);
  std::vector<std::string> records;
  for (int l = 0; l < 4; ++l) records.push_back("n/x/layer" + std::to_string(l));
  const auto judged = judge_claims(small.experiment, small.trials, standard_normal(records));
  REQUIRE(judged.size() == 2);
  for (const JudgedClaim& j : judged) {
    CHECK(j.without_null.empty());
    CHECK(j.verdict.before_null == VerdictKind::confirmed);
    CHECK(j.verdict.kind == VerdictKind::explained_by_noise);
    CHECK(*j.verdict.null_share > 0.99);
    REQUIRE(j.null);
    CHECK(std::abs(j.null->mean) < 0.1);
    CHECK(j.null->high == doctest::Approx(0.98).epsilon(0.15));  // 1.96 / 2: a mean of four
  }
  CHECK(judge_claims(small.experiment, small.trials, standard_normal({"n/x/layer0"}))[0].without_null.size() == 3);
}

TEST_CASE("claims: of several arms the run takes the one that is best by another record, over all seeds") {
  Small small;
  Let best{"best", {"A/loss/final", "B/loss/final"}, {"A/n/x/layer0", "B/n/x/layer0"}};
  small.experiment.claims = {claim_of("best", "best - a", {best, {"a", {"A/loss/final"}}}, "< 0", 0.1)};
  small.fill(10);
  const auto set = [&](const std::string& arm, double value, const std::string& base = "null") {
    for (TrialResult& t : small.trials)
      if (t.key.arm == arm && t.key.base == base)
        for (RecordSeries& s : t.series)
          if (s.label() == "n/x/layer0") s.points = {{-1, value + (t.key.seed == 3 ? 5.0 : 0.0)}};
  };
  set("A", 1), set("B", 2);
  CHECK(judge_claims(small.experiment, small.trials, {})[0].verdict.estimate == 0);  // A's own, whatever B's losses are
  set("B", 0.5);
  auto judged = judge_claims(small.experiment, small.trials, {});
  CHECK(judged[0].verdict.estimate == doctest::Approx(-1).epsilon(0.02));
  CHECK(judged[0].choices == std::vector<std::string>{"best is of B, one of 2, by the mean of n/x/layer0 over seeds"});
  CHECK(judged[0].without_null == std::vector<std::string>{"B/loss/final", "A/loss/final"});
  set("B", absent);  // no candidate any more
  CHECK(judge_claims(small.experiment, small.trials, {})[0].verdict.estimate == 0);
  CHECK(
      judge_claims(small.experiment, small.trials, {})[0].choices ==
      std::vector<std::string>{"best is of A, one of 1 (of 2; the others lack a figure), by the mean of n/x/layer0 over seeds"});
  set("A", absent);
  judged = judge_claims(small.experiment, small.trials, {});
  CHECK(judged[0].choices == std::vector<std::string>{"best: nothing to choose by"});
  CHECK(judged[0].verdict.kind == VerdictKind::inconclusive);
  CHECK(judged[0].verdict.reason == "nothing says which record 'best' is to be");
  // What is chosen by is a part of what the claim fixes.
  Claim other = small.experiment.claims[0];
  std::swap(other.let[0].least[0], other.let[0].least[1]);
  CHECK(hash_of(other) != hash_of(small.experiment.claims[0]));
}

TEST_CASE("claims: noise by shuffled lists") {
  constexpr int many = 16;
  Small small;
  const std::vector<Let> let{{"x", {"A/m/y*"}}, {"y", {"B/m/y*"}}};
  small.experiment.claims = {claim_of("follows", "spearman(x, y)", let, "> 0.5", 0.02)};
  small.experiment.claims[0].permute = {"y"};
  // What is listed has a part of its own, the same in all seeds, and some noise beside it.
  const auto judged_with = [&](auto own_of_b) {
    Random random(3, "shuffled", "test");
    small.trials.clear();
    for (const char* arm : {"A", "B"})
      for (std::uint64_t seed = 0; seed < 10; ++seed) {
        TrialResult& t = small.trial("null", arm, seed);
        for (int k = 0; k < many; ++k)
          t.add({"m", "y" + std::to_string(k), -1, (arm[0] == 'A' ? k : own_of_b(k)) + 0.5 * random.normal(), "1"});
      }
    return judge_claims(small.experiment, small.trials, {})[0];
  };
  const JudgedClaim follows = judged_with([](int k) { return k; });
  CHECK(follows.verdict.kind == VerdictKind::confirmed);
  CHECK(follows.without_null.empty());
  CHECK_FALSE(follows.verdict.no_guard);
  REQUIRE(follows.null);
  CHECK(std::abs(follows.null->mean) < 5 / std::sqrt(many - 1.0) / std::sqrt(1000.0));
  // Parts that have nothing to do with each other, but are the same in all seeds: they do not average out over seeds, and the
  // noise of an estimate from ten seeds is as wide as that of one.
  const JudgedClaim unrelated = judged_with([](int k) { return (3 * k + 5) % many; });
  CHECK(unrelated.verdict.kind != VerdictKind::confirmed);
  REQUIRE(unrelated.verdict.null_estimates);
  CHECK(unrelated.verdict.null_estimates->high > 0.5);
  Claim plain = small.experiment.claims[0];
  plain.permute.clear();
  CHECK(hash_of(plain) != hash_of(small.experiment.claims[0]));
}

TEST_CASE("claims: a failed arm, arms of fewer seeds, and named bases") {
  Small small;
  small.experiment.claims = {
      claim_of("d", "b - a", {{"a", {"A/loss/final"}}, {"b", {"B/loss/final"}}}, "< 0", 0.1),
      claim_of("between-bases", "n - t", {{"n", {"@null/A/loss/final"}}, {"t", {"@trained/A/loss/final"}}}, "> 0", 0.1)};
  small.fill(8);
  std::erase_if(small.trials, [](const TrialResult& t) { return t.key.arm == "B" && t.key.seed >= 6; });
  auto judged = judge_claims(small.experiment, small.trials, {});
  REQUIRE(judged.size() == 3);
  CHECK(judged[0].seeds.size() == 6);
  CHECK(judged[2].base.empty());
  CHECK(judged[2].seeds.size() == 8);

  for (TrialResult& t : small.trials)
    if (t.key.arm == "B" && t.key.base == "null" && t.key.seed == 2) t.status = "failed", t.series.clear();
  judged = judge_claims(small.experiment, small.trials, {});
  CHECK(judged[0].verdict.kind == VerdictKind::inconclusive);
  CHECK(judged[0].verdict.reason.find("arm 'B' failed with seed 2") != std::string::npos);
  CHECK(judged[1].verdict.kind == VerdictKind::falsified);  // the other base is as it was
}

TEST_CASE("claims: a record of which a fixed batch samples nothing has no guard, and says so") {
  Small small;
  small.experiment.claims = {claim_of("drifts", "x - y", {{"x", {"A/n/x/layer0"}}, {"y", {"A/n/x/layer1"}}}, "> 3", 0)};
  small.fill(10);
  auto nulls = standard_normal({"n/x/layer1"});
  nulls["A"].nothing_sampled = {"n/x/layer<l>"};
  const auto judged = judge_claims(small.experiment, small.trials, nulls);
  CHECK(judged[0].without_null == std::vector<std::string>{"A/n/x/layer0 (nothing is sampled on a fixed batch)"});
  CHECK(judged[0].verdict.no_guard);
}

TEST_CASE("claims: a look is asked for where a claim was fixed before its data, with what can be decided") {
  Small small;
  small.experiment.claims = {claim_of("d", "b - a", {{"a", {"A/loss/final"}}, {"b", {"B/loss/final"}}}, "< 0", 0.1),
                             claim_of("late", "b - a", {{"a", {"A/loss/final"}}, {"b", {"B/loss/final"}}}, "< 0", 0.2)};
  small.fill(8);
  std::vector<std::string> asked;
  const auto judged =
      judge_claims(small.experiment, small.trials, {}, {{"d", {true, "key"}}}, [&](const JudgedClaim& c, bool can) {
        asked.push_back(c.claim->id + " on " + c.base + (can ? "" : " in vain"));
        CHECK(c.standing.key == "key");
        CHECK(c.seeds.size() == 8);
        return 2;
      });
  CHECK(asked == std::vector<std::string>{"d on null", "d on trained"});
  CHECK(judged[0].verdict.look == 2);
  CHECK(judged[0].standing.fixed);
  CHECK(judged[2].verdict.look == 0);
  CHECK_FALSE(judged[2].standing.fixed);  // nobody said that it was
}

TEST_CASE("claims: words are no part of what is fixed") {
  Claim claim = claim_of("d", "b - a", {{"a", {"A/loss/final"}}, {"b", {"B/loss/final"}}}, "< 0", 0.1);
  const std::string hash = hash_of(claim);
  claim.statement = "B is better";
  CHECK(hash_of(claim) == hash);
  claim.margin = 0.2;
  CHECK(hash_of(claim) != hash);
}
