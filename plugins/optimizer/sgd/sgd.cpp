#include "sgd.hpp"

#include "khost/parallel.hpp"

void Sgd::update(const khost::Update& u) const {
  const auto lr = static_cast<float>(config_.lr), momentum = static_cast<float>(config_.momentum);
  const auto keep = u.decays ? static_cast<float>(1 - config_.lr * config_.weight_decay) : 1.0f;
  float* const x = u.value.data();
  const float* const g = u.gradient.data();
  float* const velocity = momentum > 0 ? u.state.data() : nullptr;
  khost::parallel_for(static_cast<std::int64_t>(u.value.size()), 65536, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float direction = velocity ? velocity[i] = momentum * velocity[i] + g[i] : g[i];
      x[i] = keep * x[i] - lr * direction;
    }
  });
}
