#include "entry.hpp"

KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("no_descriptors", "", 1)), e.descriptor_count = 0)
