#include "khost/plugin.hpp"

#include "alpha_dropout.hpp"

KHOST_PLUGIN(khost::probe<AlphaDropout>("alpha_dropout", "drops each alpha with a fixed probability at each step", 1))
