#include "engine/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace khost;

namespace {

struct Seen {
  std::string parameter;
  Shape shape;
  std::int64_t step, training_step, training_steps;
  bool operator==(const Seen&) const = default;
};

// Notes what it is told, and leaves a 1 in all of its state.
struct Noting : Optimizer {
  mutable std::vector<Seen> seen;
  mutable std::vector<std::vector<float>> state;  // as it was found
  int slots() const override { return 2; }
  void update(const Update& u) const override {
    seen.push_back({std::string(u.parameter), {u.shape.begin(), u.shape.end()}, u.step, u.training_step, u.training_steps});
    state.emplace_back(u.state.begin(), u.state.end());
    std::ranges::fill(u.state, 1.0f);
  }
};

}  // namespace

TEST_CASE("an optimizer is told of each tensor its name and shape, and how far the training is") {
  std::vector<float> matrix(6), vector(3), gradient(6);
  const std::span<const float> g = gradient;
  const Noting rule;
  Trainer trainer(rule, {{"a.weight", true, matrix, g, {2, 3}}, {"a/alpha", false, vector, g.first(3)}}, 7);
  trainer.step();
  CHECK(rule.seen == std::vector<Seen>{{"a.weight", {2, 3}, 1, 1, 7}, {"a/alpha", {3}, 1, 1, 7}});
  trainer.step();
  trainer.reset();  // begins the rule again, not the training
  rule.seen.clear(), rule.state.clear();
  trainer.step();
  CHECK(rule.seen == std::vector<Seen>{{"a.weight", {2, 3}, 1, 3, 7}, {"a/alpha", {3}, 1, 3, 7}});
  CHECK(rule.state == std::vector<std::vector<float>>{std::vector<float>(12), std::vector<float>(6)});
}

TEST_CASE("what an optimizer knows of single entries can be forgotten, in each of its arrays") {
  std::vector<float> value(3), gradient(3);
  const Noting rule;
  Trainer trainer(rule, {{"a", false, value, gradient}, {"b", false, value, gradient}});
  trainer.step();
  trainer.forget("a", [](std::size_t entry) { return entry == 1; });
  rule.state.clear();
  trainer.step();
  CHECK(rule.state == std::vector<std::vector<float>>{{1, 0, 1, 1, 0, 1}, {1, 1, 1, 1, 1, 1}});
  CHECK(rule.seen.back().training_steps == 0);  // nobody said how many
}
