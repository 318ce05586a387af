// Rows of a table chosen by tokens, and their gradient.
#pragma once

#include <cstdint>

namespace khost {

// out[t] = from[tokens[t]], rows of `cols`
void gather_rows(std::int64_t rows, std::int64_t cols, const float* from, const std::int32_t* tokens, float* out);
// to[tokens[t]] += x[t], in order of t whatever the number of threads
void add_to_rows(std::int64_t rows, std::int64_t cols, const float* x, const std::int32_t* tokens, float* to);

}  // namespace khost
