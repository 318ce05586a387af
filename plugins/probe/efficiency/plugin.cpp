#include "khost/plugin.hpp"

#include "efficiency.hpp"

KHOST_PLUGIN(khost::probe<Efficiency>("efficiency", "loss gained per ten thousand parameters", 1))
