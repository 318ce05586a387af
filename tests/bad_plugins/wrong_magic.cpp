#include "entry.hpp"

static bad::Bomb bomb;
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("wrong_magic", "", 1)), e.magic[5] = '?')
