#include "khost/plugin.hpp"

#include "sgd.hpp"

KHOST_PLUGIN(khost::optimizer<Sgd>("sgd", "stochastic gradient descent with momentum and decoupled weight decay", 1))
