#include "khost/plugin.hpp"

#include "trace.hpp"

KHOST_PLUGIN(khost::probe<Trace>("trace", "writes signals to a safetensors file, to check khost from outside", 1))
