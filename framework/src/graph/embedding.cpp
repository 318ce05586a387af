#include <algorithm>

#include "compute/kernels.hpp"
#include "graph/ops.hpp"
#include "khost/parallel.hpp"

namespace khost {
namespace {

// out[t] = from[tokens[t]], rows of `cols`
void gather(std::int64_t rows, std::int64_t cols, const float* from, const std::int32_t* tokens, float* out) {
  parallel_for(rows, 1 + 16384 / cols, [&](std::int64_t t, std::int64_t end) {
    for (; t < end; ++t) std::copy_n(from + tokens[t] * cols, cols, out + t * cols);
  });
}

// y[t] = W[token] + (U[token] * alpha) V'
class Embedding : public Op {
 public:
  void plan(Planner& p) override {
    const std::int64_t floats = p.step.rows * weights[0]->rank();
    if (floats == 0) return;
    rows_of_u_ = p.forward_scratch(floats);
    scaled_ = p.forward_scratch(floats);
    rows_of_u_again_ = p.backward_scratch(floats);
    B_ = p.backward_scratch(floats);
  }

  void forward(Step& s) override {
    const Weight& w = *weights[0];
    const std::int64_t n = w.cols(), K = w.rank();
    gather(s.rows, n, w.slot.value, s.tokens, out(s));
    if (K == 0) return;
    const AdapterSlot& a = *w.slot.adapter;
    float *U = s.buffer(rows_of_u_), *scaled = s.buffer(scaled_);
    gather(s.rows, K, a.U, s.tokens, U);
    kernels::scale_columns(s.rows, K, U, K, a.alpha, scaled, K);
    s.backend.gemm({0, 1, s.rows, n, K, 1.0f, scaled, K, a.V, K, 1.0f, out(s), n});
  }

  // dalpha_k = sum over t of U[token, k] (dy_t . V_k)
  void backward(Step& s) override {
    Weight& w = *weights[0];
    const std::int64_t n = w.cols(), K = w.rank();
    const float* dy = output_grad(s);
    if (K > 0) {
      const AdapterSlot& a = *w.slot.adapter;
      float *U = s.buffer(rows_of_u_again_), *B = s.buffer(B_);
      gather(s.rows, K, a.U, s.tokens, U);
      s.backend.gemm({0, 0, s.rows, K, n, 1.0f, dy, n, a.V, K, 0.0f, B, K});
      kernels::column_products(s.rows, K, U, K, B, K, w.alpha_sum.data(), add_to_weight[0]);
    }
    float* dW = weight_grad(s);
    if (!dW) return;
    if (!add_to_weight[0]) std::fill_n(dW, w.rows() * n, 0.0f);
    // Each worker adds all tokens, in their order, to columns of its own.
    parallel_for(n, 1 + 16384 / s.rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = 0; t < s.rows; ++t) {
        float* to = dW + s.tokens[t] * n;
        for (std::int64_t c = begin; c < end; ++c) to[c] += dy[t * n + c];
      }
    });
  }

 private:
  int rows_of_u_ = -1, scaled_ = -1, rows_of_u_again_ = -1, B_ = -1;
};

// y[b, t] = x[b, t] + P[t]
class AddPositions : public Op {
 public:
  void plan(Planner&) override {}

  void forward(Step& s) override {
    const std::int64_t block = s.sequence * s.cols[output];
    for (std::int64_t b = 0; b < s.batch; ++b) kernels::add(block, in(s) + b * block, weights[0]->slot.value, out(s) + b * block);
  }

  void backward(Step& s) override {
    const float* dy = output_grad(s);
    const std::int64_t cols = s.cols[output], block = s.sequence * cols;
    if (float* dP = weight_grad(s)) {
      for (std::int64_t i = 0; i < block; ++i) {
        double sum = add_to_weight[0] ? dP[i] : 0.0f;
        for (std::int64_t b = 0; b < s.batch; ++b) sum += dy[b * block + i];
        dP[i] = static_cast<float>(sum);
      }
      if (!add_to_weight[0])
        std::fill(dP + block, dP + weights[0]->rows() * cols, 0.0f);  // positions that this batch does not reach
    }
    if (float* dx = input_grad(s)) {
      if (add_to_input[0])
        kernels::add(s.rows * cols, dx, dy, dx);
      else
        std::copy_n(dy, s.rows * cols, dx);
    }
  }
};

}  // namespace

std::unique_ptr<Op> make_embedding() { return std::make_unique<Embedding>(); }
std::unique_ptr<Op> make_add_positions() { return std::make_unique<AddPositions>(); }

}  // namespace khost
