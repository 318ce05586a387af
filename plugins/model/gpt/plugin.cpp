#include "khost/plugin.hpp"

#include "gpt.hpp"

KHOST_PLUGIN(khost::model<khost::gpt::Gpt>("gpt", "GPT-2-style decoder, pre-norm, without biases on its matrices", 1))
