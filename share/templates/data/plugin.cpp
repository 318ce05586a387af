#include "my_data.hpp"

KHOST_PLUGIN(khost::data<MyData>("my_data", "bytes of a file, one token each", 1))
