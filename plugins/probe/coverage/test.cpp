#include "coverage.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <deque>
#include <string>

#include "khost/testing.hpp"
#include "message.hpp"
#include "null_sample.hpp"
#include "reference_trial.hpp"

using khost::testing::FakeTrial;
using khost::testing::Hosted;

namespace {

Coverage::Config config(std::vector<std::string> bases, std::vector<std::int64_t> ranks, std::vector<std::int64_t> steps) {
  return {std::move(bases), std::move(ranks), std::move(steps)};
}

std::string refusal(const Coverage::Config& c, std::int64_t steps = 40) {
  FakeTrial trial({{"big", 300, 200, 4, 0}, {"small", 40, 20, 4, 0}});
  trial.info().steps = steps;
  return message_of([&] { Hosted<Coverage>(c).begin(trial); });
}

}  // namespace

TEST_CASE("a basis covers what lies in it: its own directions wholly, others not at all") {
  FakeTrial trial({{"a", 3, 4, 0, 0}});
  trial.info().steps = 1;
  // G = 3 e1 f1' + 4 e2 f3'. U = (e1, e2), V = (f1, f2): dim 1 matches; e2 meets f3 only, which V lacks.
  const std::vector<float> G{3, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0}, U{1, 0, 0, 1, 0, 0}, V{1, 0, 0, 1, 0, 0, 0, 0};
  trial.signals.insert_or_assign("basis.svd", khost::Signal({{"a/U", {khost::DType::f32, U.data(), {3, 2}}},
                                                             {"a/V", {khost::DType::f32, V.data(), {4, 2}}}}));
  Hosted<Coverage> probe(config({"svd", "gradient"}, {1, 2}, {1}));
  probe.begin(trial);
  trial.step(probe, 0, "weight.grad", {G}, {{3, 4}});
  probe.conclude(trial);
  const auto& r = trial.records;
  for (const char* kind : {"svd/block", "svd/diagonal"})
    for (const char* K : {"/k1", "/k2"}) CHECK(r.at(std::string(kind) + K + "/step1") == doctest::Approx(0.6));
  CHECK(r.at("svd/block_over_null/k2/step1") == doctest::Approx(0.6 / (2 / std::sqrt(12))));
  CHECK(r.at("svd/diagonal_over_null/k2/step1") == doctest::Approx(0.6 / std::sqrt(2 / 12.0)));
  CHECK(r.at("per_dim/step1") == doctest::Approx((0.6 + 0.3) / 2));
  // Its own singular vectors: the larger of 3 and 4 first, then everything.
  CHECK(r.at("gradient/block/k1/step1") == doctest::Approx(0.8));
  CHECK(r.at("gradient/block/k2/step1") == doctest::Approx(1));
  CHECK(r.at("gradient/diagonal/k2/step1") == doctest::Approx(1));
}

TEST_CASE("block and diagonal coverage differ by what lies off the diagonal") {
  FakeTrial trial({{"a", 2, 2, 0, 0}});
  trial.info().steps = 1;
  const std::vector<float> G{1, 2, 2, 4}, identity{1, 0, 0, 1};
  const khost::ArrayView I{khost::DType::f32, identity.data(), {2, 2}};
  trial.signals.insert_or_assign("basis.random", khost::Signal({{"a/U", I}, {"a/V", I}}));
  Hosted<Coverage> probe(config({"random"}, {2}, {1}));
  probe.begin(trial);
  trial.step(probe, 0, "weight.grad", {G}, {{2, 2}});
  probe.conclude(trial);
  CHECK(trial.records.at("random/block/k2/step1") == doctest::Approx(1));
  CHECK(trial.records.at("random/diagonal/k2/step1") == doctest::Approx(std::sqrt(17.0) / 5));
  CHECK(trial.records.size() == 4);  // no per_dim without svd
}

TEST_CASE("a random basis covers K / sqrt(mn) and sqrt(K) / sqrt(mn) in the mean square") {
  const std::int64_t m = 24, n = 10, K = 6;
  FakeTrial trial({{"a", m, n, 0, 0}});
  trial.info().steps = 1;
  khost::Random random(9, "test", "coverage");
  std::vector<float> G(static_cast<std::size_t>(m * n));
  random.normal(G, 1);
  double block = 0, diagonal = 0;
  const int draws = 400;
  for (int i = 0; i < draws; ++i) {
    const khost::Basis b = khost::random_basis(m, n, K, random);
    trial.signals.insert_or_assign("basis.random", khost::Signal({{"a/U", {khost::DType::f32, b.U.data(), {m, K}}},
                                                                  {"a/V", {khost::DType::f32, b.V.data(), {n, K}}}}));
    Hosted<Coverage> probe(config({"random"}, {K}, {1}));
    probe.begin(trial);
    trial.step(probe, 0, "weight.grad", {G}, {{m, n}});
    probe.conclude(trial);
    block += std::pow(trial.records.at("random/block_over_null/k6/step1"), 2) / draws;
    diagonal += std::pow(trial.records.at("random/diagonal_over_null/k6/step1"), 2) / draws;
  }
  CHECK(block == doctest::Approx(1).epsilon(0.05));
  CHECK(diagonal == doctest::Approx(1).epsilon(0.12));
}

TEST_CASE("it asks for what it measures and no more") {
  khost::Signals s;
  Coverage::declare(s, config({"gradient", "random"}, {2, 8}, {5}));
  REQUIRE(s.bases.size() == 1);
  CHECK(s.bases[0] == std::pair<std::string, std::int64_t>{"random", 8});
  for (const auto& need : s.needs) {
    CHECK(need.when.includes(4));
    CHECK(need.when.includes(0) == (need.name == "weight.grad"));  // for the gradient's own basis
    CHECK(!need.when.includes(5));
  }
}

TEST_CASE("what cannot be covered is refused before the first step") {
  CHECK(refusal(config({"svd"}, {2, 20}, {1, 40})).empty());
  CHECK(refusal(config({"svd"}, {2, 64}, {1})).find("ranks has 64, but small is 40 x 20: a basis has at most 20") == 0);
  CHECK(refusal(config({"svd"}, {2}, {1, 41})).find("steps has 41, but arm arm takes steps 1 to 40") == 0);
  CHECK(refusal(config({"svd", "fourier"}, {2}, {1})).find("there is no basis 'fourier'") == 0);
  CHECK(refusal(config({"svd", "svd"}, {2}, {1})) == "bases has an entry twice");
  CHECK(refusal(config({"svd"}, {}, {1})) == "ranks is empty");
}

TEST_CASE("coverage agrees with NumPy's, from tests/reference/coverage.py") {
  const khost::Json reference = reference_json("coverage");
  FakeTrial trial(matrices_of(reference.at("matrices")));
  trial.info().steps = 3;
  const std::int64_t width = reference.at("width").as_integer();
  std::deque<std::vector<float>> held;
  for (const char* kind : {"svd", "random"}) {
    std::vector<khost::NamedArray> arrays;
    std::size_t i = 0;
    for (const khost::Json& pair : reference.at("bases").at(kind).as_list()) {
      const khost::AdaptedMatrix& m = trial.info().matrices[i++];
      for (const char* side : {"U", "V"})
        arrays.push_back({m.name + "/" + side,
                          {khost::DType::f32,
                           held.emplace_back(numbers_of<float>(pair.at(side))).data(),
                           {*side == 'U' ? m.rows : m.cols, width}}});
    }
    trial.signals.insert_or_assign(std::string("basis.") + kind, khost::Signal(std::move(arrays)));
  }
  Hosted<Coverage> probe(config({"svd", "random", "gradient"}, numbers_of<std::int64_t>(reference.at("ranks")),
                                numbers_of<std::int64_t>(reference.at("at"))));
  probe.begin(trial);
  std::int64_t t = 0;
  for (const khost::Json& step : reference.at("steps").as_list())
    trial.step(probe, t++, "weight.grad", vectors_of(step), shapes_of(trial.info().matrices));
  probe.conclude(trial);
  check_records(trial.records, reference.at("records"), 1e-6);  // the gradient's basis is kept in f32
}

TEST_CASE("null: K / sqrt(mn) as a block and sqrt(K) / sqrt(mn) as a diagonal, in the mean square") {
  const auto c = config({"svd", "random", "gradient"}, {2, 8, 64}, {1, 40});
  khost::TrialInfo trial = papers_trial(64);
  trial.matrices = {trial.matrices[2]};  // 256 x 256: a record is one matrix's, so that its mean square is known
  const auto fixed = khost::testing::null_draws<Coverage>(c, trial, 3);
  CHECK(khost::testing::without_null<Coverage>(c, fixed).empty());
  CHECK(fixed.at("svd/block/k64/step1") == fixed.at("svd/block/k64/step40"));  // one batch has one G
  trial.fresh = true;
  const auto draws = khost::testing::null_draws<Coverage>(c, trial, 400);
  CHECK(khost::testing::without_null<Coverage>(c, draws, true).empty());
  CHECK(!draws.contains("gradient/block/k2/step1"));
  for (const char* basis : {"svd", "random"})
    for (const int K : {2, 8, 64})
      for (const char* kind : {"/block", "/diagonal"}) {
        CAPTURE(K);
        const std::string at = "/k" + std::to_string(K) + "/step1";
        Sample squares;
        for (const double v : draws.at(basis + std::string(kind) + "_over_null" + at)) squares.add(v * v);
        // 400 of a pool of 250: its own error is the larger one.
        CHECK(std::abs(squares.value() - 1) < 5 * squares.sd() * std::sqrt(1 / 400.0 + 1 / 250.0));
        const double factor = (std::string(kind) == "/block" ? K : std::sqrt(K)) / 256.0;
        CHECK(draws.at(basis + std::string(kind) + at)[0] ==
              doctest::Approx(factor * draws.at(basis + std::string(kind) + "_over_null" + at)[0]));
      }
  CHECK(draws.at("svd/block/k64/step1") != draws.at("random/block/k64/step1"));
  CHECK(draws.at("svd/block/k64/step1") != draws.at("svd/block/k64/step40"));
  check_mean(draws.at("per_dim/step1"), 1 / 256.0, 0.1 / 256);
}
