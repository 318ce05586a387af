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
  bool one_call_at_a_time = false;     // it was built for programs of one thread
  void (*set_threads)(int) = nullptr;  // the one it has, if it is known here
  void (*set_threads_wide)(std::int64_t) = nullptr;
  int (*get_threads)() = nullptr;
  std::int64_t (*get_threads_wide)() = nullptr;
  bool follows_openmp = false, starts_threads = false;  // where it has neither
  // The file that has cblas_sgemm, links resolved, and those behind it: "libblas.so.3 + libopenblas.so.0".
  std::string name;
  std::string version;  // one hash of all their contents
  std::string kernel;

  // Calls sgemm with so many threads, where it can be told.
  void use_threads(std::int32_t threads) const;
  // How many it uses when it is told `threads`; 0 where it does not say.
  std::int32_t threads(std::int32_t threads) const;
};

// Opens it once per process and never closes it. Throws std::runtime_error with what is wrong and what to do.
const Library& open_library(const std::string& path);

}  // namespace khost::cblas
