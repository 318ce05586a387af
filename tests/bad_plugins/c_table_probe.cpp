#include "entry.hpp"

// Claims to be a C table, which any toolchain may bring, but brings a C++ class.
KHOST_BAD_PLUGIN((khost::probe<bad::Idle>("c_table_probe", "", 1)), e = khost::detail::entry(KHOST_C_TABLE, bad_descriptors, 1))
