#include "khost/signal.hpp"

#include <doctest/doctest.h>

#include <array>

#include "khost/data.hpp"
#include "khost/plugin.hpp"
#include "message.hpp"

using namespace khost;

TEST_CASE("when: every step, every few, at some, or both") {
  CHECK(every(1).includes(0));
  CHECK(every(1).includes(7));
  CHECK(every(5).includes(0));
  CHECK(every(5).includes(10));
  CHECK_FALSE(every(5).includes(9));
  CHECK_FALSE(every(5).includes(-5));
  CHECK(at({9, 1, 1}).steps == std::vector<std::int64_t>{1, 9});
  CHECK(at({9, 1}).includes(9));
  CHECK_FALSE(at({9, 1}).includes(0));
  CHECK_FALSE(at({}).includes(0));
  const When both{10, {3}};
  CHECK(both.includes(3));
  CHECK(both.includes(20));
  CHECK_FALSE(both.includes(4));
  CHECK(message_of([] { every(0); }).find("every(0): the period is at least 1") != std::string::npos);
  CHECK(message_of([] { at({4, -2}); }).find("there is no step -2") != std::string::npos);
}

TEST_CASE("signals: declarations add up, and contradictions are refused") {
  Signals s;
  s.need("alpha").need("alpha.grad", every(5)).emit("drift/<group>", "1", "drift").evaluations(6).evaluations(1).gradients(8);
  s.modify("alpha.scale").modify("alpha.scale");
  REQUIRE(s.needs.size() == 2);
  CHECK(s.needs[0].when.period == 1);
  CHECK(s.needs[1].name == "alpha.grad");
  CHECK(s.evaluation_count() == 7);
  CHECK(s.gradient_count == 8);
  CHECK(s.modifies == std::vector<std::string>{"alpha.scale"});
  CHECK(message_of([&] { s.emit("drift/<group>", "1", ""); }).find("'drift/<group>' is declared twice") != std::string::npos);
  for (const std::string name : {"", "/", "//drift", "drift/"})
    CHECK(message_of([&] { s.emit(name, "1", ""); }).find("'" + name + "' is not a record's name") != std::string::npos);
  CHECK(message_of([&] { s.emit("norm of grad!/<x", "1", ""); }).find("it has a space") != std::string::npos);
  const std::string unit = message_of([&] { s.emit("fruit", "bananas", ""); });
  CHECK(unit.find("the unit of 'fruit' is 'bananas', which khost does not know\n  units: 1 (a bare number), nats, ") !=
        std::string::npos);
  CHECK(message_of([&] { s.emit("/loss/final", "nats", ""); }).find("records under 'loss' are khost's own") != std::string::npos);
  s.emit("/grad/mean/<group>", "1", "beside the instance");
  CHECK(message_of([&] { s.need(""); }).find("the signal has no name") != std::string::npos);
  CHECK(s.emits.size() == 2);
}

TEST_CASE("a signal finds its arrays by name and reads a scalar") {
  const std::array<float, 3> values{1, 2, 3};
  const std::array<std::int32_t, 1> token{7};
  const Signal two(
      {{"layer.0.attn.qkv", {DType::f32, values.data(), {3}}}, {"layer.0.mlp.up", {DType::f32, values.data(), {2}}}});
  CHECK(two.size() == 2);
  CHECK(two.at("layer.0.mlp.up").size() == 2);
  const std::string missing_array = message_of([&] { two.at("layer.0.mlp.upp"); });
  CHECK(missing_array.find("no array 'layer.0.mlp.upp'; did you mean 'layer.0.mlp.up'") != std::string::npos);
  CHECK(missing_array.find("it has layer.0.attn.qkv, layer.0.mlp.up") != std::string::npos);
  CHECK(message_of([&] { two.scalar(); }).find("has 2 arrays") != std::string::npos);
  CHECK(Signal({{"loss", {DType::f32, &values[1], {}}}}).scalar() == 2);
  CHECK(Signal({{"n", {DType::i32, token.data(), {1}}}}).scalar() == 7);
  CHECK(message_of([&] {
          Signal({{"alpha", {DType::f32, values.data(), {3}}}}).scalar();
        }).find("an array [3], not one number") != std::string::npos);
}

TEST_CASE("kinds and parts have names") {
  CHECK(std::string(name_of(Kind::compute)) == "compute");
  CHECK(std::string(name_of(Kind::probe)) == "probe");
  CHECK(std::string(name_of(Part::held_out)) == "held_out");
}
