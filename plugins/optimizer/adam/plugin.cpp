#include "khost/plugin.hpp"

#include "adam.hpp"

KHOST_PLUGIN(khost::optimizer<Adam>("adam", "Adam with decoupled weight decay and linear warm-up", 1))
