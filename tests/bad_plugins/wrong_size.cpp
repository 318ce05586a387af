#include "entry.hpp"

static bad::Bomb bomb;
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("wrong_size", "", 1)), e.struct_size += 8)
