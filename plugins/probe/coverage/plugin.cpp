#include "khost/plugin.hpp"

#include "coverage.hpp"

KHOST_PLUGIN(khost::probe<Coverage>("coverage", "share of dL/dW that a basis can express, as a block and as a diagonal", 1))
