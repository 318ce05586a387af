#include "lion.hpp"

#include <cmath>
#include <numbers>

#include "khost/error.hpp"
#include "khost/parallel.hpp"

double Lion::rate(std::int64_t step, std::int64_t steps) const {
  if (cosine_ && steps == 0)
    throw khost::Error(khost::ErrorKind::usage, "lion's schedule 'cosine' needs the number of steps, which is not known here")
        .hint("write \"schedule\": \"constant\"");
  if (step <= config_.warmup) return config_.lr * static_cast<double>(step) / static_cast<double>(config_.warmup);
  if (!cosine_) return config_.lr;
  const auto behind = static_cast<double>(step - 1 - config_.warmup), all = static_cast<double>(steps - config_.warmup);
  return config_.lr * (1 + std::cos(std::numbers::pi * behind / all)) / 2;
}

void Lion::update(const khost::Update& u) const {
  // The training's step, not that since a reset: forgetting the momentum is no reason to begin the schedule again.
  const double lr = rate(u.training_step, u.training_steps);
  // Scalars in double; the per-element work in f32.
  const auto b1 = static_cast<float>(config_.beta1), b2 = static_cast<float>(config_.beta2);
  const auto c1 = static_cast<float>(1 - config_.beta1), c2 = static_cast<float>(1 - config_.beta2);
  const auto step_size = static_cast<float>(lr);
  const auto keep = u.decays ? static_cast<float>(1 - lr * config_.weight_decay) : 1.0f;

  const auto n = static_cast<std::int64_t>(u.value.size());
  float* const x = u.value.data();
  const float* const g = u.gradient.data();
  float* const m = u.state.data();
  khost::parallel_for(n, 65536, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float direction = b1 * m[i] + c1 * g[i];
      const float sign = direction > 0 ? 1.0f : direction < 0 ? -1.0f : 0.0f;
      m[i] = b2 * m[i] + c2 * g[i];
      x[i] = keep * x[i] - step_size * sign;
    }
  });
}
