#include "alpha_dropout.hpp"

void AlphaDropout::before_step(khost::StepPlan& plan) {
  const auto kept = static_cast<float>(1 / (1 - rate_));
  for (std::size_t i = 0; i < plan.trial().matrices.size(); ++i) {
    if (resets_) {
      for (std::int64_t k = 0; k < plan.trial().matrices[i].rank; ++k)
        if (plan.random().uniform() < rate_) plan.reset_alpha(i, k);
    } else {
      for (float& scale : plan.alpha_scale(i)) scale *= plan.random().uniform() < rate_ ? 0.0f : kept;
    }
  }
}
