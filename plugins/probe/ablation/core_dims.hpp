// One matrix's core as an adapter has it, dim by dim: alpha [K], or a block C [K, K] in which dim k is row k and column k.
#pragma once

#include <cstddef>
#include <vector>

class CoreDims {
 public:
  CoreDims(std::vector<float>& values, std::size_t K) : values_(values), K_(K), block_(values.size() != K) {}

  std::size_t size() const { return K_; }

  void scale(std::size_t k, double factor) {
    visit(k, [factor](float& v) { v = static_cast<float>(v * factor); });
  }
  void cut(std::size_t keep) {
    for (std::size_t k = keep; k < K_; ++k) remove(k);
  }
  void remove(std::size_t k) {
    visit(k, [](float& v) { v = 0; });
  }
  // The sum of squares that remove(k) would take away now: a block's entries that went with another dim do not count twice.
  double squares(std::size_t k) const {
    double sum = 0;
    visit(k, [&sum](const float& v) { sum += static_cast<double>(v) * v; });
    return sum;
  }

 private:
  template <class F>
  void visit(std::size_t k, F&& f) const {
    if (!block_) return f(values_[k]);
    for (std::size_t j = 0; j < K_; ++j) f(values_[k * K_ + j]);
    for (std::size_t j = 0; j < K_; ++j)
      if (j != k) f(values_[j * K_ + k]);
  }
  std::vector<float>& values_;
  std::size_t K_;
  bool block_;
};
