#include "my_policy.hpp"

KHOST_PLUGIN(khost::probe<MyPolicy>("my_policy", "multiplies each alpha by Gaussian noise at each step", 1))
