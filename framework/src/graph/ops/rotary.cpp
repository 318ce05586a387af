#include <cmath>

#include "graph/op.hpp"
#include "khost/parallel.hpp"

namespace khost {
namespace {

// Each pair of columns of each head, turned by an angle that grows with the position.
class RotaryPositions final : public Op {
 public:
  RotaryPositions(std::int64_t heads, Rotary pairs, double base) : heads_(heads), pairs_(pairs), base_(base) {}

  std::string_view name() const override { return "rotary"; }

  std::int64_t columns(const OpShapes& s) const override {
    if (heads_ < 1 || s.columns() % heads_ != 0 || s.columns() / heads_ % 2 != 0)
      s.refuse("its input " + s.input() + " cannot be split into " + std::to_string(heads_) +
               " heads of an even width, whose columns it turns in pairs");
    if (!(base_ > 0)) s.refuse("its base is " + std::to_string(base_) + ", expected a number above 0");
    return s.columns();
  }

  void plan(OpPlan& p) override {
    half_ = p.columns() / heads_ / 2;
    const auto size = static_cast<std::size_t>(checked_product({p.sequence(), half_}));
    cos_.reserve(size), sin_.reserve(size);
    for (std::int64_t t = 0; t < p.sequence(); ++t)
      for (std::int64_t i = 0; i < half_; ++i) {
        const double angle = static_cast<double>(t) * frequency(i, half_);
        cos_.push_back(static_cast<float>(std::cos(angle)));
        sin_.push_back(static_cast<float>(std::sin(angle)));
      }
  }

  void forward(OpStep& s) override { turn(s, s.in(), s.out(), 1.0f, false); }

  // The transpose of a turn is the turn back.
  void backward(OpStep& s) override {
    if (float* dx = s.input_grad()) turn(s, s.output_grad(), dx, -1.0f, s.add_to_input());
  }

  void in_double(OpDoubles& d) const override {
    const std::int64_t C = d.columns[0], w = C / heads_, half = w / 2;
    for (std::int64_t r = 0; r < d.rows(); ++r)
      for (std::int64_t h = 0; h < heads_; ++h)
        for (std::int64_t i = 0; i < half; ++i) {
          const std::int64_t at = r * C + h * w, first = at + first_of(i), second = at + second_of(i, half);
          const double angle = static_cast<double>(r % d.sequence) * frequency(i, half);
          const double a = (*d.in[0])[first], b = (*d.in[0])[second];
          d.out[first] = a * std::cos(angle) - b * std::sin(angle);
          d.out[second] = a * std::sin(angle) + b * std::cos(angle);
        }
  }

 private:
  double frequency(std::int64_t i, std::int64_t half) const {
    return std::pow(base_, -static_cast<double>(i) / static_cast<double>(half));
  }
  std::int64_t first_of(std::int64_t i) const { return pairs_ == Rotary::halves ? i : 2 * i; }
  std::int64_t second_of(std::int64_t i, std::int64_t half) const { return pairs_ == Rotary::halves ? i + half : 2 * i + 1; }

  void turn(const OpStep& s, const float* x, float* y, float direction, bool accumulate) const {
    const std::int64_t C = s.columns(), T = s.sequence();
    parallel_for(s.rows(), 1 + 8192 / (1 + C), [&](std::int64_t r, std::int64_t end) {
      for (; r < end; ++r) {
        const float *cosine = cos_.data() + r % T * half_, *sine = sin_.data() + r % T * half_;
        for (std::int64_t h = 0; h < heads_; ++h) {
          const std::int64_t at = r * C + h * 2 * half_;
          for (std::int64_t i = 0; i < half_; ++i) {
            const std::int64_t first = at + first_of(i), second = at + second_of(i, half_);
            const float a = x[first], b = x[second], sin = direction * sine[i];
            const float turned_a = a * cosine[i] - b * sin, turned_b = a * sin + b * cosine[i];
            y[first] = accumulate ? y[first] + turned_a : turned_a;
            y[second] = accumulate ? y[second] + turned_b : turned_b;
          }
        }
      }
    });
  }

  std::int64_t heads_;
  Rotary pairs_;
  double base_;
  std::int64_t half_ = 0;
  std::vector<float> cos_, sin_;  // [T, w / 2]
};

const auto nothing = [](std::int64_t) { return std::vector<Parameter>{}; };
const detail::RegisteredCase halves{
    {"rotary, halves", {4, 12, 40}, nothing, [](Graph& g, Value x, std::int64_t) { return rotary(g, x, 2, Rotary::halves); }}};
const detail::RegisteredCase neighbours{
    {"rotary, pairs", {4, 12, 40}, nothing, [](Graph& g, Value x, std::int64_t) { return rotary(g, x, 2, Rotary::pairs, 500); }}};

}  // namespace

Value rotary(Graph& g, Value x, std::int64_t heads, Rotary pairs, double base) {
  return g.apply(std::make_unique<RotaryPositions>(heads, pairs, base), {x});
}

}  // namespace khost
