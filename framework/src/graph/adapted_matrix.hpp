// A matrix W [m, n] with its adapter, as linear and head use it: y = x W' + ((x V) * alpha) U'.
#pragma once

#include "graph/op.hpp"

namespace khost {

class AdaptedMatrix {
 public:
  AdaptedMatrix(Weight& weight, Backend& backend);

  std::int64_t rank() const { return weight_.rank(); }

  // y [rows, m] = x W' + scaled U' with A = x V [rows, K] and scaled = A * alpha [rows, K]; both null without an adapter.
  void forward(Backend& backend, std::int64_t rows, const float* x, float* A, float* scaled, float* y, std::int64_t ldy) const;
  // B = dy U [rows, K]
  void project_back(Backend& backend, std::int64_t rows, const float* dy, std::int64_t ldy, float* B) const;
  // dx [rows, n] (+)= dy W + scaled V', scaled = B * alpha
  void input_gradient(Backend& backend, std::int64_t rows, const float* dy, std::int64_t ldy, const float* B, float* scaled,
                      float* dx, bool accumulate) const;
  // dalpha_k (+)= sum over rows of A[t, k] B[t, k]
  void alpha_gradient(std::int64_t rows, const float* A, const float* B, bool accumulate) const;
  // dW (+)= dy' x
  void weight_gradient(Backend& backend, std::int64_t rows, const float* dy, std::int64_t ldy, const float* x,
                       bool accumulate) const;

 private:
  Weight& weight_;
  std::shared_ptr<const Backend::Packed> forward_, backward_;  // of a frozen W
};

}  // namespace khost
