#pragma once

#include "khost/core.hpp"

// C = diag(alpha): dW = sum over k of alpha_k U_k V_k'.
class Diagonal : public khost::Core {
 public:
  struct Config {
    static void fields(auto&) {}
  };
  explicit Diagonal(const Config&) {}

  khost::Shape alpha(std::int64_t K) const override { return {K}; }
  Entry entry(std::int64_t, std::int64_t i) const override { return {i, i}; }
  std::int64_t sums(std::int64_t K) const override { return K; }
  void towards_V(const khost::CoreStep& step, const float* p, float* out) const override;
  void towards_U(const khost::CoreStep& step, const float* p, float* out) const override;
  void gradient(const khost::CoreStep& step, const float* on_U, const float* on_V, const khost::CoreGradient& d) const override;
};
