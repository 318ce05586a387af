#include "dora.hpp"

#include <cmath>

#include "scaled_rows.hpp"

using khost::AdaptedTo, khost::Graph, khost::Value;

void Dora::tensors(khost::AdapterTensors& t, const AdaptedTo& W) const {
  lora_.tensors(t, W);
  t.train("magnitude", {W.m},
          [n = static_cast<std::size_t>(W.n)](std::span<float> magnitude, std::span<const float> values, auto&) {
            for (std::size_t i = 0; i < magnitude.size(); ++i)
              magnitude[i] = static_cast<float>(norm_of(values.subspan(i * n, n)));
          });
}

Value Dora::scaled(Graph& g, Value y, bool by_token, const AdaptedTo& own) const {
  return g.apply(std::make_unique<ScaledRows>(own, static_cast<float>(lora_.scale(own)), by_token, exact_), {y},
                 {own.W, own["A"], own["B"], own["magnitude"]});
}

Value Dora::linear(Graph& g, Value x, Value y, const AdaptedTo& own) const {
  return scaled(g, lora_.linear(g, x, y, own), false, own);
}
Value Dora::lookup(Graph& g, Value e, const AdaptedTo& own) const { return scaled(g, lora_.lookup(g, e, own), true, own); }

void Dora::difference(std::span<const std::span<const float>> tensors, std::span<const float> W, const AdaptedTo& own,
                      std::span<double> dW) const {
  lora_.difference(tensors.first(2), W, own, dW);
  const auto n = static_cast<std::size_t>(own.n);
  for (std::size_t i = 0; i < static_cast<std::size_t>(own.m); ++i) {
    double squared = 0;
    for (std::size_t j = i * n; j < (i + 1) * n; ++j) squared += (W[j] + dW[j]) * (W[j] + dW[j]);
    const double c = squared > 0 ? static_cast<double>(tensors[2][i]) / std::sqrt(squared) : 0;
    for (std::size_t j = i * n; j < (i + 1) * n; ++j) dW[j] = c * (W[j] + dW[j]) - W[j];
  }
}
