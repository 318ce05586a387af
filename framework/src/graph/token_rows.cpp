#include "graph/token_rows.hpp"

#include <algorithm>

#include "khost/parallel.hpp"

namespace khost {

void gather_rows(std::int64_t rows, std::int64_t cols, const float* from, const std::int32_t* tokens, float* out) {
  parallel_for(rows, 1 + 16384 / cols, [&](std::int64_t t, std::int64_t end) {
    for (; t < end; ++t) std::copy_n(from + tokens[t] * cols, cols, out + t * cols);
  });
}

void add_to_rows(std::int64_t rows, std::int64_t cols, const float* x, const std::int32_t* tokens, float* to) {
  // Each worker adds all tokens, in their order, to columns of its own.
  parallel_for(cols, 1 + 16384 / rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = 0; t < rows; ++t) {
      float* row = to + tokens[t] * cols;
      for (std::int64_t c = begin; c < end; ++c) row[c] += x[t * cols + c];
    }
  });
}

}  // namespace khost
