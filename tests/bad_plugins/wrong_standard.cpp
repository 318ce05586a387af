#include "entry.hpp"

// Built with -std=c++17.
static bad::Bomb bomb;
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("wrong_standard", "", 1)), bad::set_part(e, "std=", "201703"))
