#include "khost/plugin.hpp"
#include "synthetic.hpp"

KHOST_PLUGIN(khost::data<khost::Synthetic>("synthetic", "seeded Zipf-Markov tokens, nothing to install", 1))
