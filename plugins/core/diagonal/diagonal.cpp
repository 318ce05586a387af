#include "diagonal.hpp"

#include <algorithm>

void Diagonal::towards_V(const khost::CoreStep& step, const float* p, float* out) const {
  khost::scale_columns(step.rows, step.K, p, step.alpha, out);
}

void Diagonal::towards_U(const khost::CoreStep& step, const float* p, float* out) const { towards_V(step, p, out); }

void Diagonal::gradient(const khost::CoreStep& step, const float* on_U, const float* on_V, const khost::CoreGradient& d) const {
  khost::column_products(step.rows, step.K, on_U, on_V, d.sums, d.accumulate);
  if (d.alpha) std::transform(d.sums, d.sums + step.K, d.alpha, [](double sum) { return static_cast<float>(sum); });
}
