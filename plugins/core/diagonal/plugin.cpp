#include "khost/plugin.hpp"
#include "diagonal.hpp"

KHOST_PLUGIN(khost::core<Diagonal>("diagonal", "dW = U diag(alpha) V': a factor for each direction of the basis", 1))
