// A matrix W [m, n] with its adapter dW = U C V', as linear, head and embedding use it.
#pragma once

#include "graph/op.hpp"

namespace khost {

// The adapter's share of what is done with W, whatever its core. C stands between V's side and U's (khost/core.hpp): towards U's
// side a row p [K] becomes p C', towards V's it becomes p C. Without an adapter (K = 0) nothing happens and
// buffers may be null. A, B and scratch are [rows, K]; U and V are read afresh each time, as training may change them.
class LowRank {
 public:
  explicit LowRank(Weight& weight) : weight_(weight) {}

  std::int64_t rank() const { return weight_.rank(); }
  bool trains_factors() const { return rank() > 0 && (slot().U_grad || slot().V_grad); }  // product_gradients() reads x

  // x W', x [rows, n]:  y [rows, m] += (A C') U' with A = x V, which product_gradients() needs again
  void product(Backend& backend, std::int64_t rows, const float* x, float* A, float* scratch, float* y, std::int64_t ldy) const;
  // With B = dy U:  dC (+)= B' A,  dU (+)= dy' (A C'),  dV (+)= x' (B C); the latter two where they are trained
  void product_gradients(Backend& backend, std::int64_t rows, const float* x, const float* A, const float* dy, std::int64_t ldy,
                         float* B, float* scratch, bool accumulate) const;
  // dx [rows, n] += (B C) V'
  void product_input_gradient(Backend& backend, std::int64_t rows, const float* B, float* scratch, float* dx) const;

  // Rows of W:  y[t] += (A[t] C) V' with A[t] = U[token t]
  void lookup(Backend& backend, std::int64_t rows, const std::int32_t* tokens, float* A, float* scratch, float* y) const;
  // With B = dy V:  dC (+)= A' B,  dU[token t] (+)= B[t] C',  dV (+)= dy' (A C); fills A again
  void lookup_gradients(Backend& backend, std::int64_t rows, const std::int32_t* tokens, const float* dy, float* A, float* B,
                        float* scratch, bool accumulate) const;

  // W [m, n] += U C V'; scratch is [m, K]
  void add_difference(Backend& backend, float* scratch, float* W) const;

 private:
  const AdapterSlot& slot() const { return *weight_.slot.adapter; }
  void towards_U(Backend& backend, std::int64_t rows, const float* p, float* out) const;
  void towards_V(Backend& backend, std::int64_t rows, const float* p, float* out) const;
  // dC_ij (+)= sum over rows of on_U[t, i] on_V[t, j]
  void core_gradient(Backend& backend, std::int64_t rows, const float* on_U, const float* on_V, bool accumulate) const;

  Weight& weight_;
};

// x W' of at most so many rows, adapter included. Where W is frozen and rows are few it is laid out once.
class MatrixProduct {
 public:
  MatrixProduct(Weight& weight, Backend& backend, std::int64_t rows);

  const LowRank& adapter() const { return adapter_; }

  // y [rows, m] = x (W + dW)'
  void forward(Backend& backend, std::int64_t rows, const float* x, float* A, float* scratch, float* y, std::int64_t ldy) const;
  // dx [rows, n] (+)= dy (W + dW); B as product_gradients() left it
  void input_gradient(Backend& backend, std::int64_t rows, const float* dy, std::int64_t ldy, const float* B, float* scratch,
                      float* dx, bool accumulate) const;
  // dW (+)= dy' x
  void weight_gradient(Backend& backend, std::int64_t rows, const float* dy, std::int64_t ldy, const float* x,
                       bool accumulate) const;

 private:
  Weight& weight_;
  LowRank adapter_;
  std::shared_ptr<const Backend::Packed> forward_, backward_;  // null: as it lies
};

}  // namespace khost
