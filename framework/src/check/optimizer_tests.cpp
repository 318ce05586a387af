// Whether an optimizer is what the host takes it for: a rule without memory of its own.
#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "check/test.hpp"

namespace khost::check {

namespace {

constexpr float guard = 123456.5f;
constexpr std::size_t guards = 16;  // floats before and after each array

// One tensor as the host holds it, with guards around what the rule may write.
class Tensor {
 public:
  Tensor(std::string name, Shape shape, int slots, Random& random) : name_(std::move(name)), shape_(std::move(shape)) {
    size_ = static_cast<std::size_t>(element_count(shape_));
    value_.assign(size_ + 2 * guards, guard);
    state_.assign(size_ * static_cast<std::size_t>(slots) + 2 * guards, guard);
    for (float& v : inside(value_)) v = static_cast<float>(random.normal());
    for (float& s : inside(state_)) s = 0;
    gradient_.resize(size_);
  }

  void step(const Optimizer& rule, Random& random, std::int64_t step, bool zero) {
    for (float& g : gradient_) g = zero ? 0.0f : static_cast<float>(random.normal());
    const std::vector<float> before = gradient_;
    rule.update({.parameter = name_,
                 .step = step,
                 .decays = shape_.size() == 2,
                 .value = inside(value_),
                 .gradient = gradient_,
                 .state = inside(state_),
                 .shape = shape_,
                 .training_step = step,
                 .training_steps = 10});
    if (std::memcmp(before.data(), gradient_.data(), size_ * sizeof(float)) != 0)
      throw Failure("update() wrote to the gradient of " + name_, "the gradient is the host's, and is only read");
    for (const auto* array : {&value_, &state_})
      for (std::size_t i = 0; i < guards; ++i)
        if ((*array)[i] != guard || (*array)[array->size() - 1 - i] != guard)
          throw Failure(fmt::format("update() wrote outside the {} of {}, which has {} floats",
                                    array == &value_ ? "value" : "state", name_, array->size() - 2 * guards),
                        "u.value has as many entries as the tensor, u.state slots() times as many; a tensor may have 1 entry");
    for (const float v : inside(value_))
      if (!std::isfinite(v))
        throw Failure(fmt::format("{} is not finite after step {}{}", name_, step, zero ? ", whose gradient is 0" : ""),
                      "look for a division by a norm or a variance of 0");
  }

  bool operator==(const Tensor& other) const {
    return std::memcmp(value_.data(), other.value_.data(), value_.size() * sizeof(float)) == 0 &&
           std::memcmp(state_.data(), other.state_.data(), state_.size() * sizeof(float)) == 0;
  }
  const std::string& name() const { return name_; }
  bool moved_from(const Tensor& other) const { return value_ != other.value_; }

 private:
  static std::span<float> inside(std::vector<float>& all) { return std::span(all).subspan(guards, all.size() - 2 * guards); }
  std::string name_;
  Shape shape_;
  std::size_t size_ = 0;
  std::vector<float> value_, state_, gradient_;
};

std::vector<Tensor> tensors(const Optimizer& rule, const Subject& of) {
  Random random(of.seed, "check", "values");
  std::vector<Tensor> all;
  const int slots = rule.slots();
  if (rule.slots() != slots) throw Failure("slots() is not always the same", "it depends on the configuration alone");
  for (const Shape& shape : {Shape{1}, Shape{7}, Shape{1, 5}, Shape{33, 17}, Shape{128, 64}, Shape{1000}})
    all.emplace_back(fmt::format("tensor{}/alpha", all.size()), shape, slots, random);
  return all;
}

// Steps `from` to `to` of all tensors; every fourth without a gradient.
void train(const Optimizer& rule, std::vector<Tensor>& all, const Subject& of, int from, int to) {
  for (int step = from; step <= to; ++step) {
    Random random(of.seed, "check", "gradients of step " + std::to_string(step));
    for (Tensor& t : all) t.step(rule, random, step, step % 4 == 0);
  }
}

void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b, const std::string& what, const std::string& mend) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i])) throw Failure(a[i].name() + ": " + what, mend);
}

std::string update_test(const Subject& of) {
  const auto rule = of.make<Optimizer>();
  std::vector<Tensor> all = tensors(*rule, of);
  const std::vector<Tensor> before = all;
  train(*rule, all, of, 1, 8);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!all[i].moved_from(before[i]))
      throw Failure(all[i].name() + " did not move in 8 steps", "update() changes u.value in place");
  return fmt::format("{} tensors, {} slots", all.size(), rule->slots());
}

// A training that was broken off goes on with another instance, and a reset is the host's: all that a rule knows must be in what
// it is given.
std::string state_test(const Subject& of) {
  const auto whole = of.make<Optimizer>(), first = of.make<Optimizer>(), second = of.make<Optimizer>();
  std::vector<Tensor> a = tensors(*whole, of), b = tensors(*first, of), c = tensors(*first, of);
  train(*whole, a, of, 1, 8);
  train(*first, b, of, 1, 4);
  train(*second, b, of, 5, 8);
  expect_same(a, b, "8 steps of one instance differ from 4 of one and 4 of another",
              "keep in u.state (slots() arrays) what a rule has to remember: members are const in update(), and what is mutable "
              "or static is lost "
              "when a training goes on from a checkpoint");
  train(*first, c, of, 1, 8);
  expect_same(a, c, "a second training by the same instance differs from the first",
              "nothing may be kept between calls but in u.state");
  return "";
}

}  // namespace

std::vector<Test> optimizer_tests() {
  return {{"update", "does it move each tensor, and write nowhere else?", {Kind::optimizer}, &update_test},
          {"state", "is all that it remembers in the state that the host keeps?", {Kind::optimizer}, &state_test, "update"}};
}

}  // namespace khost::check
