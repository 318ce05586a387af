#include "entry.hpp"

// Built with a compiler that was never released.
static bad::Bomb bomb;
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("wrong_compiler", "", 1)), bad::set_part(e, "compiler=", "gcc-1"))
