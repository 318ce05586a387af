#include "adam.hpp"

#include <algorithm>
#include <cmath>

#include "khost/parallel.hpp"

void Adam::update(const khost::Update& u) const {
  const double t = static_cast<double>(u.step);
  const double rate = config_.warmup > 0 ? config_.lr * std::min(1.0, t / static_cast<double>(config_.warmup)) : config_.lr;
  // Scalars in double; the per-element work in f32, as PyTorch's.
  const auto b1 = static_cast<float>(config_.beta1), b2 = static_cast<float>(config_.beta2);
  const auto c1 = static_cast<float>(1 - config_.beta1), c2 = static_cast<float>(1 - config_.beta2);
  const auto step_size = static_cast<float>(rate / (1 - std::pow(config_.beta1, t)));
  const auto root_correction = static_cast<float>(std::sqrt(1 - std::pow(config_.beta2, t)));
  const auto eps = static_cast<float>(config_.eps);
  const auto keep = u.decays ? static_cast<float>(1 - rate * config_.weight_decay) : 1.0f;

  const auto n = static_cast<std::int64_t>(u.value.size());
  float* const x = u.value.data();
  const float* const g = u.gradient.data();
  float* const m = u.state.data();
  float* const v = m + n;
  khost::parallel_for(n, 65536, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      m[i] = b1 * m[i] + c1 * g[i];
      v[i] = b2 * v[i] + c2 * (g[i] * g[i]);
      x[i] = keep * x[i] - step_size * m[i] / (std::sqrt(v[i]) / root_correction + eps);
    }
  });
}
