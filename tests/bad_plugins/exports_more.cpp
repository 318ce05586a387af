// Linked without khost_add_plugin()'s version script: what it defines is seen by the whole process, and an inline variable is one
// with every other plugin's of that name.
#include "entry.hpp"

inline int measured = 0;
__attribute__((visibility("default"))) int count_measured() { return ++measured; }

KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("exports_more", "", 1)), )
