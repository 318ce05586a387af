#include "report/definitions.hpp"

namespace khost {

const std::vector<Definition>& engine_definitions() {
  static const std::vector<Definition> own = {
      {"loss", "base", "nats", "loss per token on the trial's own batch before any update", {}},
      {"loss", "final", "nats", "loss per token on the trial's own batch after the last update, without dropout", {}},
      {"loss", "train", "nats", "each step's training loss, with dropout where there is one", {}},
      {"loss", "train_last", "nats", "the last of them: before the last update", {}},
      {"loss", "held_out_base", "nats", "loss per token on held-out text before any update", {}},
      {"loss", "held_out_final", "nats", "loss per token on held-out text after the last update", {}},
      {"loss", "at<n>", "nats", "loss per token on the trial's own batch after n updates", {}},
      {"loss", "held_out_at<n>", "nats", "loss per token on held-out text after n updates", {}},
      {"parameters",
       "adapter",
       "parameters",
       "sum over the adapted matrices (m x n) of K (m + n); of a schedule the largest",
       {}},
      {"parameters", "adapter_mean", "parameters", "its mean over steps", {}},
      {"parameters", "trainable", "parameters", "what the optimizer updates; of a schedule the largest", {}},
      {"parameters", "trainable_mean", "parameters", "its mean over steps", {}}};
  return own;
}

std::string noise_of(const Definition& definition) {
  if (definition.probe == "loss" || definition.probe == "parameters")
    return "no null: noise has no loss, and counts have no noise";
  return definition.null.empty() ? "its probe gives no null" : definition.null;
}

}  // namespace khost
