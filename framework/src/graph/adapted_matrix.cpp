#include "graph/adapted_matrix.hpp"

#include "compute/kernels.hpp"

namespace khost {

AdaptedMatrix::AdaptedMatrix(Weight& weight, Backend& backend) : weight_(weight) {
  if (!weight.slot.frozen) return;
  const std::int64_t m = weight.rows(), n = weight.cols();
  khost_gemm g{};
  g.b = weight.slot.value;
  g.ldb = n;
  g.transpose_b = 1, g.n = m, g.k = n;
  forward_ = backend.pack(g);
  g.transpose_b = 0, g.n = n, g.k = m;
  backward_ = backend.pack(g);
}

void AdaptedMatrix::forward(Backend& backend, std::int64_t rows, const float* x, float* A, float* scaled, float* y,
                            std::int64_t ldy) const {
  const std::int64_t m = weight_.rows(), n = weight_.cols(), K = rank();
  const khost_gemm base{0, 1, rows, m, n, 1.0f, x, n, weight_.slot.value, n, 0.0f, y, ldy};
  if (forward_)
    backend.gemm(base, *forward_);
  else
    backend.gemm(base);
  if (K == 0) return;
  const AdapterSlot& a = *weight_.slot.adapter;
  backend.gemm({0, 0, rows, K, n, 1.0f, x, n, a.V, K, 0.0f, A, K});
  kernels::scale_columns(rows, K, A, K, a.alpha, scaled, K);
  backend.gemm({0, 1, rows, m, K, 1.0f, scaled, K, a.U, K, 1.0f, y, ldy});
}

void AdaptedMatrix::project_back(Backend& backend, std::int64_t rows, const float* dy, std::int64_t ldy, float* B) const {
  const std::int64_t K = rank();
  if (K > 0) backend.gemm({0, 0, rows, K, weight_.rows(), 1.0f, dy, ldy, weight_.slot.adapter->U, K, 0.0f, B, K});
}

void AdaptedMatrix::input_gradient(Backend& backend, std::int64_t rows, const float* dy, std::int64_t ldy, const float* B,
                                   float* scaled, float* dx, bool accumulate) const {
  const std::int64_t m = weight_.rows(), n = weight_.cols(), K = rank();
  const khost_gemm base{0, 0, rows, n, m, 1.0f, dy, ldy, weight_.slot.value, n, accumulate ? 1.0f : 0.0f, dx, n};
  if (backward_)
    backend.gemm(base, *backward_);
  else
    backend.gemm(base);
  if (K == 0) return;
  const AdapterSlot& a = *weight_.slot.adapter;
  kernels::scale_columns(rows, K, B, K, a.alpha, scaled, K);
  backend.gemm({0, 1, rows, n, K, 1.0f, scaled, K, a.V, K, 1.0f, dx, n});
}

void AdaptedMatrix::alpha_gradient(std::int64_t rows, const float* A, const float* B, bool accumulate) const {
  const std::int64_t K = rank();
  kernels::column_products(rows, K, A, K, B, K, weight_.alpha_sum.data(), accumulate);
}

void AdaptedMatrix::weight_gradient(Backend& backend, std::int64_t rows, const float* dy, std::int64_t ldy, const float* x,
                                    bool accumulate) const {
  const std::int64_t m = weight_.rows(), n = weight_.cols();
  backend.gemm({1, 0, m, n, rows, 1.0f, dy, ldy, x, n, accumulate ? 1.0f : 0.0f, weight_.slot.grad, n});
}

}  // namespace khost
