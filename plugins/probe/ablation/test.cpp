#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "ablation.hpp"
#include "khost/testing.hpp"
#include "null_sample.hpp"

using khost::Alphas;
using khost::testing::FakeTrial;
using khost::testing::Hosted;

namespace {

// 100 - the sum of all entries, so that each dim has its own price; `calls` counts.
std::function<double(const Alphas&)> counted(int& calls) {
  return [&calls](const Alphas& alphas) {
    ++calls;
    double sum = 0;
    for (const auto& a : alphas)
      for (const float v : a) sum += v;
    return 100 - sum;
  };
}

Ablation::Config config(std::vector<std::int64_t> keep, bool controls = false, std::int64_t draws = 3) {
  Ablation::Config c;
  c.keep = std::move(keep), c.controls = controls, c.draws = draws;
  return c;
}

// The alphas of every evaluation while the probe concludes.
std::vector<Alphas> evaluated(FakeTrial& trial, const Ablation::Config& c) {
  std::vector<Alphas> seen;
  trial.loss = [&](const Alphas& alphas) { return seen.push_back(alphas), 1.0; };
  Hosted<Ablation> probe(c);
  probe.begin(trial);
  probe.conclude(trial);
  return seen;
}

double squares(const std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v) * v;
  return sum;
}

std::vector<float> difference(std::vector<float> a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

std::vector<float> counting(std::size_t n) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(i + 1);
  return out;
}

}  // namespace

TEST_CASE("ablation keeps the leading dims of every matrix and shares are relative to keep 2") {
  FakeTrial trial({{"a", 9, 7, 6, 0}, {"none", 9, 7, 0, 0}, {"b", 8, 8, 6, 0}});
  for (auto& a : trial.trained) a = counting(a.size());
  int calls = 0;
  trial.loss = counted(calls);
  Hosted<Ablation> probe(config({6, 4, 2, 0}));
  probe.begin(trial);
  probe.conclude(trial);
  CHECK(trial.records.at("keep6") == 100 - 42);
  CHECK(trial.records.at("keep4") == 100 - 20);
  CHECK(trial.records.at("keep2") == 100 - 6);
  CHECK(trial.records.at("keep0") == 100);
  CHECK(trial.records.at("share4") == doctest::Approx((80.0 - 58) / (94 - 58)));
  CHECK(trial.records.at("share2") == 1);
  CHECK(!trial.records.contains("share6"));
  CHECK(calls == 4);  // each loss once
  CHECK(trial.trained[0][5] == 6);
  CHECK(trial.records.size() == 7);
}

TEST_CASE("a block core loses rows and columns") {
  FakeTrial trial({{"a", 9, 7, 3, 0}});
  trial.info().core = "block";
  trial.trained[0] = counting(9);
  const auto seen = evaluated(trial, config({2, 1}));
  REQUIRE(seen.size() == 3);  // K, 2, 1
  CHECK(seen[1][0] == std::vector<float>{1, 2, 0, 4, 5, 0, 0, 0, 0});
  CHECK(seen[2][0] == std::vector<float>{1, 0, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("control: a random subset of the same size, other in each draw and matrix") {
  for (const bool block : {false, true}) {
    FakeTrial trial({{"a", 99, 70, 40, 0}, {"b", 99, 70, 40, 0}});
    if (block) trial.info().core = "block";
    for (auto& a : trial.trained) a = counting(block ? 1600 : 40);
    auto seen = evaluated(trial, config({10}, true, 4));
    REQUIRE(seen.size() == 3 + 2 * 4);  // K, 2, 10; then four of each control
    std::vector<std::vector<float>> subsets;
    for (std::size_t i = 3; i < 7; ++i)
      for (const auto& a : seen[i]) {
        CHECK(std::ranges::count_if(a, [](float v) { return v != 0; }) == (block ? 100 : 10));
        CHECK(std::ranges::find(subsets, a) == subsets.end());
        subsets.push_back(a);
        if (!block) continue;
        for (std::size_t r = 0; r < 40; ++r)  // an entry stays exactly when its row's and column's dims do
          for (std::size_t c = 0; c < 40; ++c) CHECK((a[r * 40 + c] != 0) == (a[r * 41] != 0 && a[c * 41] != 0));
      }
  }
}

TEST_CASE("control: random dims of the tail's norm, the last one scaled so that it is exact") {
  for (const bool block : {false, true}) {
    FakeTrial trial({{"a", 99, 70, 30, 0}, {"b", 99, 70, 30, 0}});
    if (block) trial.info().core = "block";
    khost::Random random(7, "test", "alphas");
    for (auto& a : trial.trained) a.resize(block ? 900 : 30), random.normal(a, 1);
    const auto seen = evaluated(trial, config({20}, true, 5));
    REQUIRE(seen.size() == 3 + 2 * 5);
    for (std::size_t i = 8; i < 13; ++i)
      for (std::size_t m = 0; m < 2; ++m) {
        const auto& whole = trial.trained[m];
        const double tail = squares(difference(whole, seen[2][m]));
        CHECK(squares(difference(whole, seen[i][m])) == doctest::Approx(tail).epsilon(1e-6));  // of f32 entries
        CHECK(seen[i][m] != seen[2][m]);
        int scaled = 0;
        for (std::size_t k = 0; k < 30; ++k) {
          const float now = seen[i][m][block ? k * 31 : k], was = whole[block ? k * 31 : k];
          scaled += now != 0 && now != was;
          CHECK(now / was >= 0);
        }
        CHECK(scaled <= 1);
      }
  }
}

TEST_CASE("controls are means over draws, do not depend on each other, and can be left out") {
  FakeTrial trial({{"a", 99, 70, 12, 0}});
  trial.trained[0] = counting(12);
  int calls = 0;
  trial.loss = counted(calls);
  const auto run = [&](const Ablation::Config& c) {
    calls = 0;
    Hosted<Ablation> probe(c);
    probe.begin(trial);
    probe.conclude(trial);
    return trial.records;
  };
  const auto both = run(config({12, 6, 4}, true)), one = run(config({4}, true));
  CHECK(calls == 3 + 2 * 3);
  CHECK(both.at("random4") == one.at("random4"));
  CHECK(both.at("equal_norm4") == one.at("equal_norm4"));
  CHECK(!both.contains("random12"));
  CHECK(!run(config({4}, false)).contains("random4"));
  // A random 6 of 1 .. 12 sum to 39 on average, with a variance of 6 (143 / 12) (6 / 11) = 39.
  CHECK(std::abs(run(config({6}, true, 900)).at("random6") - (100 - 39)) < 5 * std::sqrt(39 / 900.0));
  khost::Signals with, without, matrices;
  Ablation::declare(with, config({6, 4}, true, 3));
  Ablation::declare(without, config({6, 4}));
  CHECK(without.evaluation_count() == 4);
  CHECK(with.evaluation_count() == 4 + 2 * 2 * 3);
  // One matrix of the two that have more than 6 dims; and without a trial at least one.
  khost::TrialInfo planned;
  planned.arm = "K8";
  planned.matrices = {{"a", 9, 9, 6, 0}, {"b", 9, 9, 8, 0}, {"c", 9, 9, 0, 1}};
  Ablation::Config each = config({6});
  each.per_matrix = 6;
  Ablation::declare(matrices, each);
  CHECK(matrices.evaluation_count() == 3 + 1);
  matrices = {};
  matrices.trial = &planned;
  each.per_matrix = 2;
  Ablation::declare(matrices, each);
  CHECK(matrices.evaluation_count() == 3 + 2);
}

TEST_CASE("on: every loss is of that part of the text") {
  FakeTrial trial({{"a", 13, 12, 12, 0}});
  trial.trained[0] = counting(12);
  Ablation::Config c = config({6}, true);
  c.per_matrix = 6;
  for (const auto& [on, part] : {std::pair("calibration", khost::Part::calibration), {"held_out", khost::Part::held_out}}) {
    c.on = on;
    int calls = 0, elsewhere = 0;
    trial.loss = counted(elsewhere);
    trial.loss_on = {{part, counted(calls)}};
    Hosted<Ablation> probe(c);
    probe.begin(trial);
    probe.conclude(trial);
    CHECK(probe.declared().evaluation_count(part) == calls);
    CHECK(probe.declared().evaluation_count() == 0);
    CHECK(elsewhere == 0);
    CHECK(trial.records.at("keep6") == 100 - 21);
  }
}

TEST_CASE("per_matrix cuts one matrix at a time") {
  FakeTrial trial({{"a", 9, 7, 3, 0}, {"none", 9, 7, 0, 0}, {"b", 8, 8, 4, 0}, {"c", 8, 8, 2, 1}});
  for (auto& a : trial.trained) a = counting(a.size());
  int calls = 0;
  trial.loss = counted(calls);
  Ablation::Config c = config({2});
  c.per_matrix = 2;
  Hosted<Ablation> probe(c);
  probe.begin(trial);
  probe.conclude(trial);
  CHECK(trial.records.at("cut2/a") == 3);
  CHECK(trial.records.at("cut2/b") == 3 + 4);
  CHECK(!trial.records.contains("cut2/c"));  // it has no more than 2
  CHECK(!trial.records.contains("cut2/none"));
  CHECK(calls == 2 + 2);
}

TEST_CASE("cuts that cannot be made are refused before the first step") {
  FakeTrial trial({{"none", 9, 7, 0, 0}, {"a", 9, 7, 6, 0}});
  Hosted<Ablation> more(config({7}));
  CHECK_THROWS_WITH(more.begin(trial), doctest::Contains("keep has 7, but a has K = 6"));
  Ablation::Config c = config({2});
  c.per_matrix = 6;
  CHECK_THROWS_WITH(Hosted<Ablation>(c).begin(trial),
                    doctest::Contains("per_matrix cuts to 6 dims, but no matrix has more than 6"));
  FakeTrial none({{"a", 9, 7, 0, 0}});
  CHECK_THROWS_WITH(Hosted<Ablation>(config({2})).begin(none), doctest::Contains("has no adapter to cut"));
}

TEST_CASE("null: exchangeable dims carry (K - keep) / (K - 2), in one joint draw for all keeps") {
  const Ablation::Config c = config({64, 32, 20, 8, 4, 2, 0}, true);
  khost::TrialInfo trial = papers_trial(64);
  const auto draws = khost::testing::null_draws<Ablation>(c, trial, 400);
  CHECK(khost::testing::without_null<Ablation>(c, draws).empty());
  CHECK(draws.size() == 6);  // shares alone; none of keep 64
  for (const auto& [keep, share] : {std::pair{32, 0.516}, {20, 0.710}, {8, 0.903}, {4, 0.968}})
    check_mean(draws.at("share" + std::to_string(keep)), share, 0.0005);
  // Of 33 x 62 exponentials a share is a Beta variate: sd sqrt(p (1 - p) / 2047).
  CHECK(Sample(draws.at("share32")).sd() == doctest::Approx(std::sqrt(0.516 * 0.484 / 2047)).epsilon(0.2));
  for (std::size_t i = 0; i < 400; ++i) {
    CHECK(draws.at("share2")[i] == 1);
    CHECK(draws.at("share32")[i] < draws.at("share20")[i]);
    CHECK(draws.at("share20")[i] < draws.at("share8")[i]);
    CHECK(draws.at("share8")[i] < draws.at("share4")[i]);
    CHECK(draws.at("share0")[i] > 1);
  }
  trial.core = "block";
  check_mean(khost::testing::null_draws<Ablation>(c, trial, 100).at("share32"), (4096.0 - 1024) / (4096 - 4), 1e-5);
  Ablation::Config each = config({2});
  each.per_matrix = 32;
  CHECK(khost::testing::without_null<Ablation>(each, draws).empty());
}
