#include "khost/plugin.hpp"

#include "adaptive_k.hpp"

KHOST_PLUGIN(khost::probe<AdaptiveK>("adaptive_k", "K of each layer from another arm's effective rank of its gradient", 1))
