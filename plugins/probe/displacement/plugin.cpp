#include "khost/plugin.hpp"

#include "displacement.hpp"

KHOST_PLUGIN(khost::probe<Displacement>("displacement", "how far training moved the matrices from the base: ||dW||_F", 1))
