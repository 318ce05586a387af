#include "entry.hpp"

// Built with other SDK headers: the sixteen digits after "abi=1;sdk=" differ.
static bad::Bomb bomb;
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("wrong_fingerprint", "", 1)), for (int i = 10; i < 26; ++i) e.fingerprint[i] = '0')
