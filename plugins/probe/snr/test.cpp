#include <doctest/doctest.h>

#include <cmath>

#include "khost/testing.hpp"
#include "message.hpp"
#include "null_sample.hpp"
#include "reference_json.hpp"
#include "snr.hpp"

using khost::Alphas;
using khost::testing::FakeTrial;
using khost::testing::Hosted;

namespace {

Snr::Config config(std::initializer_list<khost::Json> groups, std::int64_t batches = 0) {
  Snr::Config c;
  c.groups = khost::Json(khost::Json::List(groups));
  c.batches = batches;
  return c;
}

std::vector<khost::AdaptedMatrix> two_matrices() { return {{"a", 9, 7, 3, 0}, {"b", 8, 8, 3, 0}}; }

double mean_abs_over_sd(const std::vector<double>& x) {
  double mean = 0, mean_abs = 0, m2 = 0;
  for (const double v : x) mean += v / static_cast<double>(x.size()), mean_abs += std::abs(v) / static_cast<double>(x.size());
  for (const double v : x) m2 += (v - mean) * (v - mean);
  return mean_abs / std::sqrt(m2 / static_cast<double>(x.size() - 1));
}

}  // namespace

TEST_CASE("drift SNR is per dimension, then over the group, then over matrices") {
  FakeTrial trial(two_matrices());
  Hosted<Snr> probe(config({khost::Json::List{0, 1}, khost::Json::List{1, "K"}}));
  probe.begin(trial);
  const std::vector<Alphas> steps{{{1, -2, 5}, {3, 1, 2}}, {{2, -1, 5}, {5, 2, -2}}, {{4, 0.5f, 5}, {4, 4, 2}}};
  for (std::size_t t = 0; t < steps.size(); ++t) trial.step(probe, static_cast<std::int64_t>(t), steps[t]);
  probe.conclude(trial);

  // Dim 2 of the first matrix never changes: s = 0 is missing, and left out of its group's mean.
  const double first = (mean_abs_over_sd({1, 2, 4}) + mean_abs_over_sd({3, 5, 4})) / 2;
  const double second = (mean_abs_over_sd({-2, -1, 0.5}) + (mean_abs_over_sd({1, 2, 4}) + mean_abs_over_sd({2, -2, 2})) / 2) / 2;
  CHECK(trial.records.at("drift/0") == doctest::Approx(first).epsilon(1e-12));
  CHECK(trial.records.at("drift/1") == doctest::Approx(second).epsilon(1e-12));
  CHECK(trial.records.at("drift/ratio") == doctest::Approx(second / first).epsilon(1e-12));
  CHECK(trial.records.at("/grad/mean/0") == doctest::Approx((1 + 2 + 4 + 3 + 5 + 4) / 6.0).epsilon(1e-12));
  const double m = 19.0 / 6, squares = (1 + 4 + 16 + 9 + 25 + 16) / 6.0;
  CHECK(trial.records.at("/grad/var/0") == doctest::Approx(squares - m * m).epsilon(1e-9));
  CHECK(!trial.records.contains("batch/0"));
  CHECK(!trial.records.contains("batch_var/0"));
  // Of the second group all of g at once: mean |g| over the sd of g, which are not all of one sign.
  const std::vector<double> all{-2, 5, -1, 5, 0.5, 5, 1, 2, 2, -2, 4, 2};
  double sum = 0, sum_abs = 0, sum_squares = 0;
  for (const double v : all) sum += v, sum_abs += std::abs(v), sum_squares += v * v;
  CHECK(trial.records.at("pooled/1") ==
        doctest::Approx((sum_abs / 12) / std::sqrt(sum_squares / 12 - sum / 12 * sum / 12)).epsilon(1e-12));
}

TEST_CASE("batch SNR has its own batches, at alpha = 0 or as trained; pure noise has a debiased SNR of 0") {
  for (const std::string at : {"start", "end"}) {
    FakeTrial trial(two_matrices());
    for (auto& a : trial.trained) a.assign(a.size(), 2.0f);
    khost::Random noise(3, "test", "noise");
    bool zero = true;
    trial.batch_gradient = [&](std::int64_t, const Alphas& alphas) {
      for (const auto& a : alphas)
        for (const float v : a) zero = zero && v == 0;
      Alphas g = alphas;
      for (auto& a : g)
        for (float& v : a) v = static_cast<float>(noise.normal());
      return g;
    };
    Snr::Config c = config({khost::Json::List{0, "K"}}, 4000);
    c.at = at;
    Hosted<Snr> probe(c);
    probe.begin(trial);
    trial.step(probe, 0, {{1, 1, 1}, {1, 1, 1}});
    trial.step(probe, 1, {{2, 1, 3}, {1, 2, 1}});
    probe.conclude(trial);
    CHECK(zero == (at == "start"));
    // Gaussian noise: mean |g| / sd = sqrt(2 / pi) within five standard errors over 6 x 4000 draws; debiased 0 likewise.
    CHECK(std::abs(trial.records.at("batch/0") - std::sqrt(2 / M_PI)) < 5 * 0.6 / std::sqrt(24000.0));
    CHECK(trial.records.at("batch_var/0") == doctest::Approx(1).epsilon(5 * std::sqrt(2.0 / 24000)));
    CHECK(std::abs(trial.records.at("batch_debiased/0")) < 5 * std::sqrt(2.0 / 6) / 4000);
    CHECK(std::isnan(trial.records.at("batch/ratio")));
  }
}

TEST_CASE("groups that make no sense are refused") {
  CHECK(message_of([] { Snr(config({khost::Json::List{0, 0}})); }) == "group [0,0] is empty");
  CHECK(message_of([] { Snr(config({khost::Json::List{0, "k"}})); }) == "group [0,\"k\"] ends in neither an integer nor \"K\"");
  CHECK(message_of([] { Snr(config({khost::Json(3)})); }) == "group 3 is not of the form [first, end]");
  CHECK(message_of([] { Snr(config({khost::Json::List{0, 1}}, 5)); }).find("use at least 16, or 0") != std::string::npos);
  Hosted<Snr> probe(config({khost::Json::List{0, 64}}));
  CHECK(message_of([&] { probe.begin(FakeTrial(two_matrices())); }).find("a group reaches to 64, but a has K = 3") == 0);
  Hosted<Snr> beyond(config({khost::Json::List{0, 3}, khost::Json::List{3, "K"}}));
  CHECK(message_of([&] { beyond.begin(FakeTrial(two_matrices())); }).find("a group begins at dim 3, but a has K = 3") == 0);
  FakeTrial block(two_matrices());
  block.info().core = "block";
  CHECK(message_of([&] { Hosted<Snr>(config({khost::Json::List{0, 3}})).begin(block); }).find("arm arm has a block core") == 0);
  CHECK(message_of([] {
          Hosted<Snr>(config({khost::Json::List{0, 3}})).begin(FakeTrial({{"a", 9, 7, 0, 0}}));
        }).find("arm arm has no adapter") == 0);
}

TEST_CASE("matrices without an adapter are passed over, in steps and in batches") {
  FakeTrial with({{"z", 9, 9, 0, -1}, {"a", 9, 7, 3, 0}, {"y", 9, 9, 0, 0}, {"b", 8, 8, 3, 0}}), without(two_matrices());
  const std::vector<Alphas> steps{{{1, -2, 5}, {3, 1, 2}}, {{2, -1, 5}, {5, 2, -2}}, {{4, 0.5f, 5}, {4, 4, 2}}};
  const auto run = [&](FakeTrial& trial) {
    khost::Random noise(3, "test", "noise");
    trial.batch_gradient = [&](std::int64_t, const Alphas& alphas) {
      Alphas g = alphas;
      for (auto& a : g) noise.normal(a, 1);
      return g;
    };
    Hosted<Snr> probe(config({khost::Json::List{0, 1}, khost::Json::List{1, "K"}}, 16));
    probe.begin(trial);
    for (std::size_t t = 0; t < steps.size(); ++t)  // the host shows no gradient where K = 0
      trial.step(probe, static_cast<std::int64_t>(t), steps[t]);
    probe.conclude(trial);
    return trial.records;
  };
  CHECK(run(with) == run(without));
}

TEST_CASE("drift and batch SNR agree with NumPy's, from tests/reference/snr.py") {
  const khost::Json reference = reference_json("snr");
  std::vector<khost::AdaptedMatrix> matrices;
  for (const char* name : {"a", "b", "c"}) matrices.push_back({name, 20, 30, 12, 0});
  FakeTrial trial(matrices);
  Snr::Config c;
  c.groups = reference.at("groups");
  const auto& batches = reference.at("batches").as_list();
  c.batches = static_cast<std::int64_t>(batches.size());
  trial.batch_gradient = [&](std::int64_t i, const Alphas&) { return vectors_of(batches[static_cast<std::size_t>(i)]); };
  Hosted<Snr> probe(c);
  probe.begin(trial);
  std::int64_t t = 0;
  for (const khost::Json& step : reference.at("steps").as_list()) trial.step(probe, t++, vectors_of(step));
  probe.conclude(trial);
  const auto& records = reference.at("records").as_object();
  CHECK(trial.records.size() == records.size());
  for (const khost::JsonMember& figure : records) {
    const std::string& name = figure.key;
    const khost::Json& value = figure.value;
    CAPTURE(name);
    CHECK(std::abs(trial.records.at(name) - value.as_number()) <= 1e-12 * (1 + std::abs(value.as_number())));
  }
}

TEST_CASE(
    "null: drift of Gaussian noise over 40 steps is 0.80, the ratio of two groups 1 within 0.5 %, debiased 2 / (n (n - 3))") {
  Snr::Config c = config({khost::Json::List{0, 32}, khost::Json::List{32, "K"}}, 16);
  khost::TrialInfo trial = papers_trial(64);
  trial.fresh = true;
  const auto draws = khost::testing::null_draws<Snr>(c, trial, 120);
  CHECK(khost::testing::without_null<Snr>(c, draws, true).empty());
  CHECK(!draws.contains("/grad/mean/0"));
  // sqrt(2 / pi) / (1 - 1 / (4 (n - 1))): E mean|g| over E sd, to first order in 1 / n, in which the rest cancels.
  const double drift = std::sqrt(2 / M_PI) / (1 - 1 / (4 * 39.0)), batch = std::sqrt(2 / M_PI) / (1 - 1 / (4 * 15.0));
  for (const char* group : {"0", "1"}) {
    check_mean(draws.at(std::string("drift/") + group), drift, 0.001);
    check_mean(draws.at(std::string("batch/") + group), batch, 0.005);
  }
  CHECK(Sample(draws.at("drift/0")).value() == doctest::Approx(0.80).epsilon(0.01));
  check_mean(draws.at("drift/ratio"), 1, 1e-4);
  int outside = 0;
  for (const double ratio : draws.at("drift/ratio")) outside += ratio < 0.995 || ratio > 1.005;
  CHECK(outside <= 6);  // of 120
  // mean^2 - s^2 / n is 0 on average, but not over s^2: E 1 / s^2 = (n - 1) / (n - 3) of Gaussian entries.
  check_mean(draws.at("batch_debiased/0"), 2 / (16 * 13.0));
  check_mean(draws.at("batch_debiased/1"), 2 / (16 * 13.0));
  c.batches = 0;
  const auto without = khost::testing::null_draws<Snr>(c, trial, 2);
  CHECK(khost::testing::without_null<Snr>(c, without, true).empty());
  CHECK(!without.contains("batch/0"));
}

TEST_CASE("null on a fixed batch: drift has none, as nothing is sampled from step to step; the independent batches' stays") {
  const Snr::Config c = config({khost::Json::List{0, 32}, khost::Json::List{32, "K"}}, 16);
  const auto draws = khost::testing::null_draws<Snr>(c, papers_trial(64), 40);
  CHECK(khost::testing::without_null<Snr>(c, draws).empty());
  for (const char* name : {"drift/0", "drift/1", "drift/ratio"}) CHECK(!draws.contains(name));
  check_mean(draws.at("batch/ratio"), 1, 1e-3);
  check_mean(draws.at("batch_debiased/0"), 2 / (16 * 13.0));
  khost::Signals s;
  Snr::declare(s, c);
  CHECK(s.null_of("drift/0")->drawn_for(true));
  CHECK_FALSE(s.null_of("drift/ratio")->drawn_for(false));
  CHECK(s.null_of("batch/0")->drawn_for(false));
}
