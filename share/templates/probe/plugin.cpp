#include "my_probe.hpp"

KHOST_PLUGIN(khost::probe<MyProbe>("my_probe", "share of alpha's gradient in the first dims", 1))
