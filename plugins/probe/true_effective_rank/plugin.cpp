#include "khost/plugin.hpp"

#include "true_effective_rank.hpp"

KHOST_PLUGIN(khost::probe<TrueEffectiveRank>("true_effective_rank", "effective rank of dL/dW itself at chosen steps", 1))
