// Products with known answers, asked of a library before it is used.
#pragma once

#include "library.hpp"

namespace khost::cblas {

// Whether it reads its sizes as 64 bits (ILP64), where 32 are handed to it. Throws std::runtime_error where that cannot be asked.
bool reads_wide_sizes(Sgemm* sgemm);

}  // namespace khost::cblas
