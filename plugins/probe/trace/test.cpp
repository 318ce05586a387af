#include <doctest/doctest.h>

#include "khost/testing.hpp"
#include "trace.hpp"

TEST_CASE("a trace names its arrays as the contract says, for as many steps as asked") {
  khost::testing::FakeTrial trial({{"a", 2, 2, 2, 0}});
  const std::vector<std::int32_t> tokens{1, 2, 3, 4};
  const std::vector<float> matrix{1, 2, 3, 4}, alpha{0.5f, 0.25f};
  const float loss = 2.5f;
  const auto one = [](const char* name, khost::DType type, const void* data, khost::Shape shape) {
    return khost::Signal({{name, {type, data, std::move(shape)}}});
  };
  trial.signals.emplace("tokens", one("tokens", khost::DType::i32, tokens.data(), {2, 2}));
  trial.signals.emplace("targets", one("targets", khost::DType::i32, tokens.data(), {2, 2}));
  trial.signals.emplace("weights", one("a", khost::DType::f32, matrix.data(), {2, 2}));
  trial.signals.emplace("basis", khost::Signal({{"a/U", {khost::DType::f32, matrix.data(), {2, 2}}},
                                                {"a/V", {khost::DType::f32, matrix.data(), {2, 2}}}}));
  trial.signals.emplace("loss", one("loss", khost::DType::f32, &loss, {}));
  trial.signals.emplace("alpha", one("a", khost::DType::f32, alpha.data(), {2}));
  Trace::Config config;
  config.steps = 2;
  khost::testing::Hosted<Trace> probe(config);
  for (int i = 0; i < 2; ++i) trial.step(probe, i, {{1, 2}});
  probe.conclude(trial);
  CHECK(trial.artifacts.at("trace") == std::vector<std::string>{"tokens", "targets", "weights/a", "basis/a/U", "basis/a/V",
                                                                "loss/0", "alpha/0/a", "alpha.grad/0/a", "loss/1", "alpha/1/a",
                                                                "alpha.grad/1/a"});
  khost::Signals declared;
  Trace::declare(declared, config);
  for (const auto& need : declared.needs) CHECK(!need.when.includes(2));
}

TEST_CASE("factors are the basis at every step, which itself is written once") {
  khost::testing::FakeTrial trial({{"a", 2, 2, 1, 0}});
  std::vector<float> U{1, 2}, V{3, 4};
  trial.signals.emplace(
      "basis", khost::Signal({{"a/U", {khost::DType::f32, U.data(), {2, 1}}}, {"a/V", {khost::DType::f32, V.data(), {2, 1}}}}));
  Trace::Config config;
  config.signals = {"basis", "factors"};
  khost::testing::Hosted<Trace> probe(config);
  for (int i = 0; i < 2; ++i) trial.step(probe, i, {{1}});
  probe.conclude(trial);
  CHECK(trial.artifacts.at("trace") ==
        std::vector<std::string>{"basis/a/U", "basis/a/V", "factors/0/a/U", "factors/0/a/V", "factors/1/a/U", "factors/1/a/V"});
  khost::Signals declared;
  Trace::declare(declared, config);
  bool always = false;
  for (const auto& need : declared.needs) {
    CHECK(need.name == "basis");
    always |= need.when.includes(1);
  }
  CHECK(always);
}
