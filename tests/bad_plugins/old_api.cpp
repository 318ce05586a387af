#include "entry.hpp"

static bad::Bomb bomb;
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("old_api", "", 1)), e.api_version = KHOST_PLUGIN_API - 1)
