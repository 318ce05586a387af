#include "khost/plugin.hpp"

#include "gpt.hpp"

KHOST_PLUGIN(khost::model<khost::gpt::Gpt>("gpt", "GPT-2-style decoder with a tied head", 1))
