#include "alpha_dropout.hpp"

void AlphaDropout::before_step(khost::StepPlan& plan) {
  const auto kept = static_cast<float>(1 / (1 - rate_));
  for (std::size_t i = 0; i < plan.trial().matrices.size(); ++i)
    for (float& scale : plan.alpha_scale(i)) scale *= plan.random().uniform() < rate_ ? 0.0f : kept;
}
