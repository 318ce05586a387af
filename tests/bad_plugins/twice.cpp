// Two probes of one name: which of them a manifest means, nobody could say.
#include "entry.hpp"

KHOST_PLUGIN(khost::probe<bad::Idle>("twice", "the first", 1), khost::probe<bad::Idle>("twice", "the second", 1))
