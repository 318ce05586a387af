#include "khost/plugin.hpp"

#include "effective_rank.hpp"

KHOST_PLUGIN(khost::probe<EffectiveRank>("effective_rank", "in-basis effective rank of alpha's gradient", 2))
