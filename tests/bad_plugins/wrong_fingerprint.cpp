#include "entry.hpp"

// Built with other SDK headers: their hash differs.
static bad::Bomb bomb;
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("wrong_fingerprint", "", 1)), bad::set_part(e, "sdk.probe=", "0000000000000000"))
