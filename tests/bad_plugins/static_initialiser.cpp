// A global object whose constructor runs when the plugin is loaded.
#include "entry.hpp"

static bad::Bomb bomb;
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("static_initialiser", "", 1)), )
