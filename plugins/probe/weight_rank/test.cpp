#include "weight_rank.hpp"

#include <doctest/doctest.h>

#include "khost/testing.hpp"
#include "null_sample.hpp"
#include "reference_trial.hpp"

using khost::testing::FakeTrial;
using khost::testing::Hosted;

TEST_CASE("only the base's matrices are read, before the first update, and joined by kind") {
  khost::Signals declared;
  WeightRank::declare(declared, {});
  REQUIRE(declared.needs.size() == 1);
  CHECK(declared.needs[0].name == "weights");
  CHECK((declared.needs[0].when.includes(0) && !declared.needs[0].when.includes(1)));

  FakeTrial trial({{"tok_emb", 3, 2, 0, -1}, {"layer.0.mlp.up", 2, 2, 1, 0}, {"layer.1.mlp.up", 2, 2, 1, 1}});
  const std::vector<float> flat{1, 0, 0, 1}, tall{3, 0, 0, 3, 0, 0}, half{2, 0, 0, 0}, norm{1, 2};
  trial.signals.insert_or_assign("weights", khost::Signal({{"tok_emb", {khost::DType::f32, tall.data(), {3, 2}}},
                                                           {"layer.0.norm.weight", {khost::DType::f32, norm.data(), {2}}},
                                                           {"layer.0.mlp.up", {khost::DType::f32, flat.data(), {2, 2}}},
                                                           {"layer.1.mlp.up", {khost::DType::f32, half.data(), {2, 2}}}}));
  Hosted<WeightRank> probe({});
  trial.step(probe, 0);
  probe.conclude(trial);
  CHECK(trial.records.at("er/tok_emb") == doctest::Approx(2));
  CHECK(trial.records.at("er/layer.0.mlp.up") == doctest::Approx(2));
  CHECK(trial.records.at("er/layer.1.mlp.up") == doctest::Approx(1));
  CHECK(trial.records.at("er/kind/mlp.up") == doctest::Approx(1.5));
  CHECK(trial.records.at("flatness/kind/mlp.up") == doctest::Approx(0.75));
  CHECK(trial.records.at("flatness/kind/tok_emb") == doctest::Approx(1));
  CHECK(trial.records.size() == 7);
}

TEST_CASE("ranks agree with NumPy's SVD, from tests/reference/weight_rank.py") {
  const khost::Json reference = reference_json("weight_rank");
  FakeTrial trial(matrices_of(reference.at("matrices")));
  Hosted<WeightRank> probe({});
  trial.step(probe, 0, "weights", vectors_of(reference.at("weights")), shapes_of(trial.info().matrices));
  probe.conclude(trial);
  check_records(trial.records, reference.at("records"), 1e-10);
}

TEST_CASE("null: random matrices are as flat as 0.804, 0.954 and 0.966") {
  const auto draws = khost::testing::null_draws<WeightRank>({}, papers_trial(0), 20);
  CHECK(khost::testing::without_null<WeightRank>({}, draws).empty());
  const auto flat = [&](const char* kind, double flatness) {
    CAPTURE(kind);
    const Sample found = draws.at(std::string("flatness/kind/") + kind);
    CHECK(std::abs(found.value() - flatness) < 5 * found.error() + 0.0005);  // science.md's three digits
    check_mean(draws.at(std::string("er/kind/") + kind), 256 * flatness, 256 * 0.0005);
  };
  flat("attn.proj", 0.804);
  flat("attn.qkv", 0.954);
  flat("mlp.up", 0.966);
  flat("mlp.down", 0.966);
  CHECK(Sample(draws.at("flatness/kind/tok_emb")).value() > 0.997);  // 15007 x 256
  CHECK(Sample(draws.at("er/layer.3.attn.proj")).n == 20);
}
