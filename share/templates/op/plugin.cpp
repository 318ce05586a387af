#include "my_op.hpp"

KHOST_PLUGIN(khost::model<MyOp>("my_op", "one block with an operation of its own, tanh", 1))
