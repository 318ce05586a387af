#include "khost/plugin.hpp"

#include "snr.hpp"

KHOST_PLUGIN(khost::probe<Snr>("snr", "signal-to-noise ratio of alpha's gradient per group of dims: drift and batch", 1))
