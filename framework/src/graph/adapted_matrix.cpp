#include "graph/adapted_matrix.hpp"

#include <algorithm>

#include "compute/kernels.hpp"
#include "graph/token_rows.hpp"

namespace khost {

void CoreStep::gemm(const khost_gemm& g) const { backend.gemm(g); }

Core::~Core() = default;
bool Core::trains_factors() const { return false; }
std::int64_t Core::sums(std::int64_t) const { return 0; }

void scale_columns(std::int64_t rows, std::int64_t K, const float* p, const float* s, float* out) {
  kernels::scale_columns(rows, K, p, K, s, out, K);
}
void column_products(std::int64_t rows, std::int64_t K, const float* a, const float* b, double* out, bool accumulate) {
  kernels::column_products(rows, K, a, K, b, K, out, accumulate);
}

void LowRank::towards_U(Backend& backend, std::int64_t rows, const float* p, float* out) const {
  slot().core->towards_U({backend, rows, rank(), slot().alpha}, p, out);
}

void LowRank::towards_V(Backend& backend, std::int64_t rows, const float* p, float* out) const {
  slot().core->towards_V({backend, rows, rank(), slot().alpha}, p, out);
}

void LowRank::core_gradient(Backend& backend, std::int64_t rows, const float* on_U, const float* on_V, bool accumulate) const {
  slot().core->gradient({backend, rows, rank(), slot().alpha}, on_U, on_V,
                        {slot().alpha_grad, weight_.alpha_sums.data(), accumulate});
}

void LowRank::product(Backend& backend, std::int64_t rows, const float* x, float* A, float* scratch, float* y,
                      std::int64_t ldy) const {
  const std::int64_t m = weight_.rows(), n = weight_.cols(), K = rank();
  if (K == 0) return;
  backend.gemm({0, 0, rows, K, n, 1.0f, x, n, slot().V, K, 0.0f, A, K});
  towards_U(backend, rows, A, scratch);
  backend.gemm({0, 1, rows, m, K, 1.0f, scratch, K, slot().U, K, 1.0f, y, ldy});
}

void LowRank::product_gradients(Backend& backend, std::int64_t rows, const float* x, const float* A, const float* dy,
                                std::int64_t ldy, float* B, float* scratch, bool accumulate) const {
  const std::int64_t m = weight_.rows(), n = weight_.cols(), K = rank();
  if (K == 0) return;
  const float beta = accumulate ? 1.0f : 0.0f;
  backend.gemm({0, 0, rows, K, m, 1.0f, dy, ldy, slot().U, K, 0.0f, B, K});
  core_gradient(backend, rows, B, A, accumulate);
  if (slot().U_grad) {
    towards_U(backend, rows, A, scratch);
    backend.gemm({1, 0, m, K, rows, 1.0f, dy, ldy, scratch, K, beta, slot().U_grad, K});
  }
  if (slot().V_grad) {
    towards_V(backend, rows, B, scratch);
    backend.gemm({1, 0, n, K, rows, 1.0f, x, n, scratch, K, beta, slot().V_grad, K});
  }
}

void LowRank::product_input_gradient(Backend& backend, std::int64_t rows, const float* B, float* scratch, float* dx) const {
  const std::int64_t n = weight_.cols(), K = rank();
  if (K == 0) return;
  towards_V(backend, rows, B, scratch);
  backend.gemm({0, 1, rows, n, K, 1.0f, scratch, K, slot().V, K, 1.0f, dx, n});
}

void LowRank::lookup(Backend& backend, std::int64_t rows, const std::int32_t* tokens, float* A, float* scratch, float* y) const {
  const std::int64_t n = weight_.cols(), K = rank();
  if (K == 0) return;
  gather_rows(rows, K, slot().U, tokens, A);
  towards_V(backend, rows, A, scratch);
  backend.gemm({0, 1, rows, n, K, 1.0f, scratch, K, slot().V, K, 1.0f, y, n});
}

void LowRank::lookup_gradients(Backend& backend, std::int64_t rows, const std::int32_t* tokens, const float* dy, float* A,
                               float* B, float* scratch, bool accumulate) const {
  const std::int64_t n = weight_.cols(), K = rank();
  if (K == 0) return;
  gather_rows(rows, K, slot().U, tokens, A);
  backend.gemm({0, 0, rows, K, n, 1.0f, dy, n, slot().V, K, 0.0f, B, K});
  core_gradient(backend, rows, A, B, accumulate);
  if (slot().U_grad) {
    towards_U(backend, rows, B, scratch);
    if (!accumulate) std::fill_n(slot().U_grad, weight_.rows() * K, 0.0f);
    add_to_rows(rows, K, scratch, tokens, slot().U_grad);
  }
  if (slot().V_grad) {
    towards_V(backend, rows, A, scratch);
    backend.gemm({1, 0, n, K, rows, 1.0f, dy, n, scratch, K, accumulate ? 1.0f : 0.0f, slot().V_grad, K});
  }
}

void LowRank::add_difference(Backend& backend, float* scratch, float* W) const {
  const std::int64_t m = weight_.rows(), n = weight_.cols(), K = rank();
  if (K == 0) return;
  towards_V(backend, m, slot().U, scratch);
  backend.gemm({0, 1, m, n, K, 1.0f, scratch, K, slot().V, K, 1.0f, W, n});
}

MatrixProduct::MatrixProduct(Weight& weight, Backend& backend, std::int64_t rows) : weight_(weight), adapter_(weight) {
  // A product lays W out itself where nobody did: m n numbers, beside rows m n multiplications. Its two layouts would take W's
  // memory twice for as long as the program lives. A backend that rounds frozen weights does so as it lays them out.
  constexpr std::int64_t few_rows = 512;
  if (!weight.slot.frozen || (rows > few_rows && !backend.info().rounds())) return;
  const std::int64_t m = weight.rows(), n = weight.cols();
  khost_gemm g{};
  g.b = weight.slot.value;
  g.ldb = n;
  g.transpose_b = 1, g.n = m, g.k = n;
  forward_ = backend.pack(g);
  g.transpose_b = 0, g.n = n, g.k = m;
  backward_ = backend.pack(g);
}

void MatrixProduct::forward(Backend& backend, std::int64_t rows, const float* x, float* A, float* scratch, float* y,
                            std::int64_t ldy) const {
  const std::int64_t m = weight_.rows(), n = weight_.cols();
  const khost_gemm base{0, 1, rows, m, n, 1.0f, x, n, weight_.slot.value, n, 0.0f, y, ldy};
  if (forward_)
    backend.gemm(base, *forward_);
  else
    backend.gemm(base);
  adapter_.product(backend, rows, x, A, scratch, y, ldy);
}

void MatrixProduct::input_gradient(Backend& backend, std::int64_t rows, const float* dy, std::int64_t ldy, const float* B,
                                   float* scratch, float* dx, bool accumulate) const {
  const std::int64_t m = weight_.rows(), n = weight_.cols();
  const khost_gemm base{0, 0, rows, n, m, 1.0f, dy, ldy, weight_.slot.value, n, accumulate ? 1.0f : 0.0f, dx, n};
  if (backward_)
    backend.gemm(base, *backward_);
  else
    backend.gemm(base);
  adapter_.product_input_gradient(backend, rows, B, scratch, dx);
}

void MatrixProduct::weight_gradient(Backend& backend, std::int64_t rows, const float* dy, std::int64_t ldy, const float* x,
                                    bool accumulate) const {
  const std::int64_t m = weight_.rows(), n = weight_.cols();
  backend.gemm({1, 0, m, n, rows, 1.0f, dy, ldy, x, n, accumulate ? 1.0f : 0.0f, weight_.slot.grad, n});
}

}  // namespace khost
