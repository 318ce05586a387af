#include "khost/plugin.hpp"

#include "ablation.hpp"

KHOST_PLUGIN(khost::probe<Ablation>("ablation", "loss after training with only the leading dims of every adapter", 1))
