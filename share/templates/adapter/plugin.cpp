#include "my_adapter.hpp"

KHOST_PLUGIN(khost::adapter<MyAdapter>("my_adapter", "dW = scale B A", 1))
