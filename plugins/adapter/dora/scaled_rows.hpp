// The operation that DoRA adds to a graph.
#pragma once

#include <span>
#include <vector>

#include "khost/adapter.hpp"
#include "khost/draft/op.hpp"

// ||x||, summed in double
double norm_of(std::span<const float> x);

// With V = W + s B A, W [m, n], A [K, n], B [m, K]: column i of y [B*T, m] times magnitude_i / ||V_i||; or, by token, row t of
// e [B*T, n] times that of row i = the token at t. A row of V that is 0 gives 0. Gradients of y and magnitude; with `exact` also
// of W, A and B through the norms.
//
// With q_i the sum of gradient times input over what i scales, and c_i = magnitude_i / ||V_i||:
//   dmagnitude_i = q_i / ||V_i||,   dy = c dz,   dV_i = -q_i c_i / ||V_i||^2 V_i,   dB_i = s dV_i A',   dA = s B' dV
class ScaledRows final : public khost::Op {
 public:
  ScaledRows(const khost::AdaptedTo& own, float s, bool by_token, bool exact)
      : s_(s), by_token_(by_token), exact_(exact), m_(own.m), n_(own.n), K_(own.K) {}

  std::string_view name() const override { return by_token_ ? "dora_scale_rows" : "dora_scale"; }
  std::int64_t columns(const khost::OpShapes& shapes) const override;
  void plan(khost::OpPlan& plan) override;
  void forward(khost::OpStep& step) override;
  void backward(khost::OpStep& step) override;
  void in_double(khost::OpDoubles& d) const override;

 private:
  std::int64_t index(const khost::OpStep& step, std::int64_t t, std::int64_t c) const { return by_token_ ? step.tokens()[t] : c; }
  void row(const khost::OpStep& step, std::int64_t i, std::int64_t begin, std::int64_t end, float* V) const;
  void find_norms(const khost::OpStep& step);
  void through_norms(const khost::OpStep& step);

  float s_;
  bool by_token_, exact_;
  std::int64_t m_, n_, K_;
  std::vector<float> norm_;  // [m], of this step; by token only where a token is
  std::vector<char> used_;   // [m]
  std::vector<double> q_;    // [m]
};
