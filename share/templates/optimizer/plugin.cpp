#include "my_optimizer.hpp"

KHOST_PLUGIN(khost::optimizer<MyOptimizer>("my_optimizer", "momentum, normalised for each tensor", 1))
