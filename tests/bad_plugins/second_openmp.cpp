#include "entry.hpp"

// Linked with a library whose SONAME is libomp.so.5.
static bad::Bomb bomb;
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("second_openmp", "", 1)), )
