#include "lora.hpp"

#include <cmath>

using khost::AdaptedTo, khost::Graph, khost::Value;

double Lora::scale(const AdaptedTo& own) const {
  const auto K = static_cast<double>(own.K);
  return config_.alpha / (config_.scaling == "rslora" ? std::sqrt(K) : K);
}

void Lora::tensors(khost::AdapterTensors& t, const AdaptedTo& W) const {
  // Uniform in +-1/sqrt(n), as PEFT draws it (Kaiming's for a = sqrt(5)).
  t.train("A", {W.K, W.n}, [bound = 1 / std::sqrt(static_cast<double>(W.n))](std::span<float> A, auto, khost::Random& random) {
    for (float& a : A) a = static_cast<float>(bound * (2 * random.uniform() - 1));
  });
  t.train("B", {W.m, W.K});
}

Value Lora::linear(Graph& g, Value x, Value y, const AdaptedTo& own) const {
  const Value a = khost::scale(g, khost::linear(g, x, own["A"]), static_cast<float>(scale(own)));  // s x A' [B*T, K]
  return add(g, y, khost::linear(g, a, own["B"]));
}

Value Lora::lookup(Graph& g, Value e, const AdaptedTo& own) const {
  const Value b = khost::scale(g, embedding(g, own["B"]), static_cast<float>(scale(own)));  // rows of s B [B*T, K]
  return add(g, e, matmul(g, b, own["A"]));
}

void Lora::difference(std::span<const std::span<const float>> tensors, std::span<const float>, const AdaptedTo& own,
                      std::span<double> dW) const {
  const std::span<const float> A = tensors[0], B = tensors[1];
  const double s = scale(own);
  const auto K = static_cast<std::size_t>(own.K), n = static_cast<std::size_t>(own.n);
  for (std::size_t i = 0; i < static_cast<std::size_t>(own.m); ++i)
    for (std::size_t k = 0; k < K; ++k) {
      const double b = s * static_cast<double>(B[i * K + k]);
      for (std::size_t j = 0; j < n; ++j) dW[i * n + j] += b * static_cast<double>(A[k * n + j]);
    }
}
