#include <algorithm>
#include <cmath>

#include "compute/kernels.hpp"
#include "compute/portable_gemm.hpp"
#include "graph/ops.hpp"
#include "khost/parallel.hpp"

namespace khost {
namespace {

constexpr std::int64_t line = 16;        // floats in a cache line
constexpr std::int64_t block_rows = 64;  // queries at a time; keys beyond a block's last query are never looked at

// Per sequence and head, with q, k, v [T, w]: P = softmax(q k' / sqrt(w)) below the diagonal [T, T], o = P v [T, w].
// Each head of each sequence is one worker's; the products are small, so they run on the host's own kernel.
class CausalAttention : public Op {
 public:
  explicit CausalAttention(std::int64_t heads) : heads_(heads) {}

  void plan(Planner& p) override {
    ld_ = checked_sum({p.step.sequence, line - 1}) / line * line;
    P_ = p.saved({p.step.batch, heads_, p.step.sequence, ld_});
    if (!p.needs(output)) return;
    dP_ = p.backward_scratch({p.step.batch, heads_, p.step.sequence, ld_});
    p.keep(inputs[0]);
  }

  void forward(StepState& s) override {
    const std::int64_t C = s.cols[output], w = C / heads_, T = s.sequence, ldq = 3 * C;
    const float scale = 1.0f / std::sqrt(static_cast<float>(w));
    parallel_for(s.batch * heads_, 1, [&](std::int64_t i, std::int64_t end) {
      for (; i < end; ++i) {
        const std::int64_t b = i / heads_, h = i % heads_;
        const float *q = in(s) + b * T * ldq + h * w, *k = q + C, *v = k + C;
        float *P = s.buffer(P_) + i * T * ld_, *o = out(s) + b * T * C + h * w;
        for (std::int64_t r = 0; r < T; r += block_rows) {
          const std::int64_t n = std::min(block_rows, T - r), seen = r + n;
          kernels::portable_gemm_serial({0, 1, n, seen, w, 1.0f, q + r * ldq, ldq, k, ldq, 0.0f, P + r * ld_, ld_});
          kernels::causal_softmax(n, r, seen, scale, P + r * ld_, ld_);
          kernels::portable_gemm_serial({0, 0, n, w, seen, 1.0f, P + r * ld_, ld_, v, ldq, 0.0f, o + r * C, C});
        }
      }
    });
  }

  // dv = P' do; dP = do v'; dS = softmax backward of dP; dq = dS k; dk = dS' q
  void backward(StepState& s) override {
    float* dqkv = input_grad(s);
    if (!dqkv) return;
    const std::int64_t C = s.cols[output], w = C / heads_, T = s.sequence, ldq = 3 * C;
    const float scale = 1.0f / std::sqrt(static_cast<float>(w)), beta = add_to_input[0] ? 1.0f : 0.0f;
    parallel_for(s.batch * heads_, 1, [&](std::int64_t i, std::int64_t end) {
      for (; i < end; ++i) {
        const std::int64_t b = i / heads_, h = i % heads_, at = b * T * ldq + h * w;
        const float *q = in(s) + at, *k = q + C, *v = k + C, *g = output_grad(s) + b * T * C + h * w;
        float *dq = dqkv + at, *dk = dq + C, *dv = dk + C;
        const float* P = s.buffer(P_) + i * T * ld_;
        float* D = s.buffer(dP_) + i * T * ld_;
        for (std::int64_t r = 0; r < T; r += block_rows) {
          const std::int64_t n = std::min(block_rows, T - r), seen = r + n;
          kernels::portable_gemm_serial({0, 1, n, seen, w, 1.0f, g + r * C, C, v, ldq, 0.0f, D + r * ld_, ld_});
          kernels::causal_softmax_backward(n, r, seen, scale, P + r * ld_, D + r * ld_, ld_);
          kernels::portable_gemm_serial({0, 0, n, w, seen, 1.0f, D + r * ld_, ld_, k, ldq, beta, dq + r * ldq, ldq});
        }
        for (std::int64_t c = 0; c < T; c += block_rows) {  // a block of keys, seen by the queries from its first on
          const std::int64_t n = std::min(block_rows, T - c), queries = T - c;
          kernels::portable_gemm_serial({1, 0, n, w, queries, 1.0f, P + c * ld_ + c, ld_, g + c * C, C, beta, dv + c * ldq, ldq});
          kernels::portable_gemm_serial(
              {1, 0, n, w, queries, 1.0f, D + c * ld_ + c, ld_, q + c * ldq, ldq, beta, dk + c * ldq, ldq});
        }
      }
    });
  }

  std::string inner_non_finite(const StepState& s) const override {
    for (std::int64_t row = 0; row < s.batch * heads_ * s.sequence; ++row)
      if (!all_finite(s.buffer(P_) + row * ld_, row % s.sequence + 1)) return "probabilities";
    return "";
  }

 private:
  std::int64_t heads_, ld_ = 0;
  int P_ = -1, dP_ = -1;
};

}  // namespace

std::unique_ptr<Op> make_causal_attention(std::int64_t heads) { return std::make_unique<CausalAttention>(heads); }

}  // namespace khost
