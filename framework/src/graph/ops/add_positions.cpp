#include <algorithm>

#include "compute/kernels.hpp"
#include "graph/op.hpp"

namespace khost {
namespace {

// y[b, t] = x[b, t] + P[t]
class AddPositions final : public Op {
 public:
  std::string_view name() const override { return "add_positions"; }

  std::int64_t columns(const OpShapes& s) const override {
    const auto [positions, C] = s.matrix(0);
    if (C != s.columns() || positions < s.sequence())
      s.refuse(s.parameter(0) + " does not fit its input " + s.input() + ": expected at least " +
               text_of({s.sequence(), s.columns()}));
    return C;
  }

  void forward(OpStep& s) override {
    const std::int64_t block = s.sequence() * s.columns();
    for (std::int64_t b = 0; b < s.batch(); ++b) kernels::add(block, s.in() + b * block, s.weight(), s.out() + b * block);
  }

  void backward(OpStep& s) override {
    const float* dy = s.output_grad();
    const std::int64_t cols = s.columns(), block = s.sequence() * cols;
    if (float* dP = s.weight_grad()) {
      for (std::int64_t i = 0; i < block; ++i) {
        double sum = s.add_to_weight() ? dP[i] : 0.0f;
        for (std::int64_t b = 0; b < s.batch(); ++b) sum += dy[b * block + i];
        dP[i] = static_cast<float>(sum);
      }
      if (!s.add_to_weight())  // positions that this batch does not reach
        std::fill(dP + block, dP + s.placed().weights[0]->rows() * cols, 0.0f);
    }
    if (float* dx = s.input_grad()) hand_on(s.size(), dy, dx, s.add_to_input());
  }

  void in_double(OpDoubles& d) const override {
    const std::int64_t C = d.columns[0];
    for (std::int64_t r = 0; r < d.rows(); ++r)
      for (std::int64_t c = 0; c < C; ++c) d.out[r * C + c] = (*d.in[0])[r * C + c] + (*d.weights[0])[r % d.sequence * C + c];
  }
};

const detail::RegisteredCase registered{{"add_positions",
                                         {1, 6},
                                         [](std::int64_t C) {
                                           return std::vector<Parameter>{{"P", {29, C}}};
                                         },
                                         [](Graph& g, Value x, std::int64_t) { return add_positions(g, x, "P"); }}};

}  // namespace

Value add_positions(Graph& g, Value x, std::string_view P) { return g.apply(std::make_unique<AddPositions>(), {x}, {P}); }

}  // namespace khost
