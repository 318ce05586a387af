// A CBLAS that is known by its path alone.
#pragma once

#include <cstdint>
#include <string>

#include "khost/compute.hpp"

namespace khost::cblas {

using Sgemm = void(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a, int lda,
                   const float* b, int ldb, float beta, float* c, int ldc);

struct Library {
  std::string path;  // as it was asked for
  Sgemm* sgemm = nullptr;
  bool one_call_at_a_time = false;  // it was built for programs of one thread
  bool own_threads = false;         // it starts threads of its own, and cannot be told how many
  // The file that has cblas_sgemm, links resolved, and those behind it: "libblas.so.3 + libopenblas.so.0".
  std::string name;
  std::string version;  // one hash of all their contents
  std::string kernel;

  // How many threads a product is multiplied on when there are `threads`; 0 where it does not say.
  std::int32_t threads(std::int32_t threads) const { return own_threads ? 0 : one_call_at_a_time ? 1 : threads; }
};

// Opens it once per process and never closes it. Throws std::runtime_error with what is wrong and what to do.
const Library& open_library(const std::string& path);

}  // namespace khost::cblas
