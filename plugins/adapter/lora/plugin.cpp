#include "khost/plugin.hpp"

#include "lora.hpp"

KHOST_PLUGIN(khost::adapter<Lora>("lora", "dW = s B A, A at random and B at 0 (LoRA, and rank-stabilised)", 1))
