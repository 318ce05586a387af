// Has no initialiser of its own, but is linked with a library that has.
#include "entry.hpp"

KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("needs_exiting", "", 1)), )
