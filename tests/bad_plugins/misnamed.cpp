#include "entry.hpp"

KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("another_name", "", 1)), )
