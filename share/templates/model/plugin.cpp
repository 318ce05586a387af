#include "my_model.hpp"

KHOST_PLUGIN(khost::model<MyModel>("my_model", "blocks of an MLP, without attention", 1))
