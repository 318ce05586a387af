#include "khost/plugin.hpp"

#include "lion.hpp"

KHOST_PLUGIN(khost::optimizer<Lion>("lion", "Lion with decoupled weight decay, warm-up and a cosine schedule", 1))
