#include "plugin/signal_table.hpp"

#include <algorithm>
#include <array>

namespace khost {
namespace {

constexpr std::string_view any_trial = "every trial", of_UV = "arms whose adapter has U and V: a core (diagonal, block, factors)",
                           of_adapter = "arms with an adapter of any kind",
                           of_model = "models that expose values (Graph::expose)";

// In the order of docs/plugins/signals.md: a step's text and loss, the model, the adapter.
constexpr std::array signals = {
    KnownSignal{"loss", "one number", "[]", "nats",
                "loss of this step's batch, per token, as the step saw it (with dropout, if any)", any_trial, ""},
    KnownSignal{"tokens", "one array of i32", "[B, T]", "", "the tokens of the step's batch", any_trial, ""},
    KnownSignal{"targets", "one array of i32", "[B, T]", "", "the token to be predicted after each; -100 where none counts",
                any_trial, ""},
    KnownSignal{"weights", "every tensor of the model, by its name", "of the tensor", "1",
                "the model's tensors as they are at this step, without dW", any_trial, ""},
    KnownSignal{"weight.grad", "the adaptable matrices and what is trained beside them, by name", "of the tensor", "nats",
                "dL/dW at W + dW", any_trial, "a further matrix product for each adaptable matrix"},
    KnownSignal{"activation", "each value that the model exposes, by its name", "[B*T, C]", "1", "the value in the forward pass",
                of_model, "memory: the values are kept to the end of the step"},
    KnownSignal{"activation.grad", "each value that the model exposes, by its name", "[B*T, C]", "nats", "dL / d of the value",
                of_model, "memory: the gradients are kept to the end of the step"},
    KnownSignal{"adapter", "every tensor that adapters train, NAME/TENSOR", "of the tensor", "1",
                "an adapter's tensors before this step's update: layer.0.mlp.up/alpha, layer.0.mlp.up/B", of_adapter, ""},
    KnownSignal{"adapter.grad", "every tensor that adapters train, NAME/TENSOR", "of the tensor", "nats",
                "their gradients, as the optimizer gets them", of_adapter, ""},
    KnownSignal{"alpha", "an array for each adapted matrix, by its name", "[K], or [K, K] of a block", "1",
                "what a core trains, before this step's update", of_UV, ""},
    KnownSignal{"alpha.grad", "an array for each adapted matrix, by its name", "[K], or [K, K] of a block", "nats",
                "dL/dalpha, as the optimizer gets it", of_UV, ""},
    KnownSignal{"basis", "two arrays for each adapted matrix, NAME/U and NAME/V", "[m, K] and [n, K]", "1",
                "U and V of dW = U C V', as they are at this step", of_UV, ""},
    KnownSignal{"basis.svd", "two arrays for each adaptable matrix, NAME/U and NAME/V",
                "[m, K] and [n, K], K at least as asked for", "1",
                "singular vectors of the base's W, whatever the arm's basis; asked for by need_basis(\"svd\", K)", any_trial,
                "the base's decompositions, once: they are kept in the cache"},
    KnownSignal{"basis.random", "two arrays for each adaptable matrix, NAME/U and NAME/V",
                "[m, K] and [n, K], K at least as asked for", "1",
                "the base's random basis; asked for by need_basis(\"random\", K)", any_trial,
                "its orthonormalisation, once: it is kept in the cache"},
};

constexpr std::array changeable = {
    Changeable{"alpha.scale", "StepPlan::alpha_scale", "multipliers of alpha, or of a block's columns, for one step"},
    Changeable{"alpha", "StepPlan::reset_alpha", "single alphas, or a block's columns, back to 0; they are trained on"},
    Changeable{"alpha.rank", "StepPlan::set_rank", "how many of K dims are trained and used from a step on"},
    Changeable{"adapter.rank", "Policy::resolve", "K of each matrix, before the bases are cut and training begins"},
    Changeable{"optimizer.state", "StepPlan::reset_optimizer", "what the optimizer has gathered: forgotten"},
};

}  // namespace

std::span<const KnownSignal> known_signals() { return signals; }

const KnownSignal* find_signal(std::string_view name) {
  const auto found = std::ranges::find(signals, name, &KnownSignal::name);
  return found == signals.end() ? nullptr : &*found;
}

std::span<const Changeable> changeable_things() { return changeable; }

}  // namespace khost
