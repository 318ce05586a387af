#include "khost/plugin.hpp"

#include "dora.hpp"

KHOST_PLUGIN(khost::adapter<Dora>("dora", "LoRA for the direction of each row, and a magnitude of its own (DoRA)", 1))
