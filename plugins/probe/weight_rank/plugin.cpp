#include "khost/plugin.hpp"

#include "weight_rank.hpp"

KHOST_PLUGIN(khost::probe<WeightRank>("weight_rank", "effective rank of the base's weights", 1))
