// The core of an adapter dW = U C V' of a matrix W [m, n]: what is trained between U [m, K] and V [n, K].
//
// U and V come from a basis ("basis" in the manifest), and khost applies them: to what a linear map, an embedding and the head
// make of W, forward and backward, in parts where that saves memory. A core says what C [K, K] is made of and how a row of K
// numbers goes through it, by hand, as this is where an adapter's time goes. plugins/core/diagonal is a whole one. What does not
// have this form is an adapter of its own: khost/adapter.hpp.
//
// One instance serves all matrices of an arm, in all of its trials and on several threads at once: its members are const and keep
// nothing.
#pragma once

#include <cstdint>

#include "khost/compute.hpp"
#include "khost/tensor.hpp"

namespace khost {

class Backend;

// One use of one matrix; valid during the call that it is given to.
struct CoreStep {
  Backend& backend;  // the host's own
  std::int64_t rows, K;
  const float* alpha;  // of shape Core::alpha(K): times what a policy scales dims by (alpha.scale)

  // C = alpha op(A) op(B) + beta C on the run's backend.
  void gemm(const khost_gemm& g) const;
};

// Where dL/dalpha goes. A matrix may be used more than once in a pass (a tied embedding, a head that goes through its rows in
// parts): the first use overwrites, those that follow add.
struct CoreGradient {
  float* alpha;  // dL/dalpha of the uses so far; null where nobody asks for it
  double* sums;  // Core::sums(K) numbers that last from the first use to the last, to be summed in double
  bool accumulate;
};

class Core {
 public:
  virtual ~Core();
  // What is trained begins at 0. Its size is known before any weight is, and K is at least 1.
  virtual Shape alpha(std::int64_t K) const = 0;
  // The row of C, which is a dim of U, and its column, one of V, that entry i of alpha is: each a place of its own, and C is 0
  // elsewhere. A rank of k < K has the entries whose row and column are below k.
  struct Entry {
    std::int64_t row, column;
  };
  virtual Entry entry(std::int64_t K, std::int64_t i) const = 0;
  virtual bool trains_factors() const;              // U and V too, each arm's its own copy
  virtual std::int64_t sums(std::int64_t K) const;  // 0 unless it says more

  // p, out [rows, K], not the same:  out = p C
  virtual void towards_V(const CoreStep& step, const float* p, float* out) const = 0;
  // out = p C'
  virtual void towards_U(const CoreStep& step, const float* p, float* out) const = 0;
  // dC_ij (+)= sum over rows of on_U[t, i] on_V[t, j], of the entries that there are.
  virtual void gradient(const CoreStep& step, const float* on_U, const float* on_V, const CoreGradient& d) const = 0;
};

// out[t, k] = p[t, k] s[k] of [rows, K]
void scale_columns(std::int64_t rows, std::int64_t K, const float* p, const float* s, float* out);
// out[k] = (accumulate ? out[k] : 0) + sum over rows, first to last, of a[t, k] b[t, k]; in double
void column_products(std::int64_t rows, std::int64_t K, const float* a, const float* b, double* out, bool accumulate);

}  // namespace khost
