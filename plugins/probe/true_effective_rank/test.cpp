#include "true_effective_rank.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "khost/testing.hpp"
#include "message.hpp"
#include "null_sample.hpp"
#include "reference_trial.hpp"

using khost::testing::FakeTrial;
using khost::testing::Hosted;

TEST_CASE("an identity has rank n, an outer product rank 1, and other trained tensors do not count") {
  FakeTrial trial({{"tok_emb", 3, 3, 0, -1}, {"layer.0.a", 2, 3, 2, 0}});
  trial.info().steps = 7;
  Hosted<TrueEffectiveRank> probe({{7}});
  probe.begin(trial);
  const std::vector<float> identity{1, 0, 0, 0, 1, 0, 0, 0, 1}, outer{1, 2, 3, 2, 4, 6}, positions(20, 1.0f);
  trial.signals.insert_or_assign("weight.grad", khost::Signal({{"pos_emb", {khost::DType::f32, positions.data(), {4, 5}}},
                                                               {"norm.weight", {khost::DType::f32, positions.data(), {20}}},
                                                               {"layer.0.a", {khost::DType::f32, outer.data(), {2, 3}}},
                                                               {"tok_emb", {khost::DType::f32, identity.data(), {3, 3}}}}));
  trial.step(probe, 6);
  probe.conclude(trial);
  CHECK(trial.records.at("step7/matrix/tok_emb") == doctest::Approx(3));
  CHECK(trial.records.at("step7/matrix/layer.0.a") == doctest::Approx(1).epsilon(1e-6));  // sigma is right to 1e-8 of the largest
  CHECK(trial.records.at("step7/layer0") == doctest::Approx(1).epsilon(1e-6));
  CHECK(trial.records.at("step7/mean") == doctest::Approx(2).epsilon(1e-6));
  CHECK(trial.records.at("step7/max") == doctest::Approx(3));
  CHECK(trial.records.size() == 7);
}

TEST_CASE("steps count from 1; those beyond the trial's are refused by name") {
  khost::Signals declared;
  TrueEffectiveRank::declare(declared, {{1, 5}});
  REQUIRE(declared.needs.size() == 1);
  CHECK(declared.needs[0].name == "weight.grad");
  for (const std::int64_t index : {0, 4}) CHECK(declared.needs[0].when.includes(index));
  for (const std::int64_t index : {1, 5}) CHECK(!declared.needs[0].when.includes(index));

  FakeTrial trial({{"a", 3, 3, 1, 0}});
  trial.info().steps = 10;
  Hosted<TrueEffectiveRank>({{1, 10}}).begin(trial);
  const std::string message = message_of([&] { Hosted<TrueEffectiveRank>({}).begin(trial); });
  CHECK(message.find("steps has 20, 40, but arm arm takes steps 1 to 10") == 0);
}

TEST_CASE("ranks agree with NumPy's SVD, from tests/reference/true_effective_rank.py") {
  const khost::Json reference = reference_json("true_effective_rank");
  FakeTrial trial(matrices_of(reference.at("matrices")));
  trial.info().steps = 3;
  Hosted<TrueEffectiveRank> probe({{1, 3}});
  probe.begin(trial);
  const auto& steps = reference.at("steps").as_list();
  for (std::size_t i = 0; i < steps.size(); ++i)
    trial.step(probe, reference.at("at").as_list()[i].as_integer() - 1, "weight.grad", vectors_of(steps[i]),
               shapes_of(trial.info().matrices));
  probe.conclude(trial);
  // One gradient lacks ranks: its zeros are singular values of up to 1e-8 of the largest here.
  check_records(trial.records, reference.at("records"), 1e-6);
}

TEST_CASE("null: 127 tokens give 109 to 116 in the layers of the papers; more tokens are no limit") {
  khost::TrialInfo trial = papers_trial(32);
  trial.matrices.resize(9);  // the embedding and two layers
  const auto fixed = khost::testing::null_draws<TrueEffectiveRank>({{1, 40}}, trial, 4);
  CHECK(khost::testing::without_null<TrueEffectiveRank>({{1, 40}}, fixed).empty());
  CHECK(fixed.at("step1/mean") == fixed.at("step40/mean"));  // one batch has one G
  trial.fresh = true;
  const auto draws = khost::testing::null_draws<TrueEffectiveRank>({{1, 40}}, trial, 40);
  CHECK(khost::testing::without_null<TrueEffectiveRank>({{1, 40}}, draws, true).empty());
  for (const char* name : {"tok_emb", "layer.0.attn.qkv", "layer.0.attn.proj", "layer.0.mlp.up", "layer.0.mlp.down"}) {
    const Sample rank = draws.at(std::string("step1/matrix/") + name);
    CAPTURE(name);
    const bool embedding = std::string(name) == "tok_emb";  // so tall that only the other side's spectrum is left
    CHECK(rank.value() > (embedding ? 117 : 108.5));
    CHECK(rank.value() < (embedding ? 118 : 116.5));
  }
  // Up and down are each other's transposes; steps are drawn anew.
  const Sample up = draws.at("step1/matrix/layer.0.mlp.up"), down = draws.at("step1/matrix/layer.0.mlp.down");
  CHECK(std::abs(up.value() - down.value()) < 5 * std::hypot(up.error(), down.error()));
  CHECK(draws.at("step1/mean") != draws.at("step40/mean"));
  CHECK(Sample(draws.at("step1/layer0")).n == 40);
  for (std::size_t i = 0; i < 40; ++i) {
    CHECK(draws.at("step1/max")[i] >= draws.at("step1/mean")[i]);
    CHECK(draws.at("step1/mean")[i] > draws.at("step1/squared_mean")[i]);
    CHECK(draws.at("step1/squared_mean")[i] > draws.at("step1/stable_mean")[i]);
  }
  trial.matrices = {{"a", 256, 256, 0, 0}}, trial.batch = 64;  // 8128 tokens: nearly an iid matrix, whose flatness is 0.804
  const Sample many = khost::testing::null_draws<TrueEffectiveRank>({{1}}, trial, 2).at("step1/mean");
  CHECK(many.value() / 256 == doctest::Approx(0.80).epsilon(0.01));
}
