// What the compute plugins share: refusing options, following the host's number of threads, calling a CBLAS.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>

#include "khost/compute.hpp"
#include "khost/openmp.hpp"

namespace khost::blas {

// Also of those backends that hold more: the first member of their context.
struct Context {
  std::int32_t threads;
};

// For a backend without options: whether it was given none. Otherwise says so in `message`.
inline bool without_options(const char* options, char* message, std::size_t size) {
  if (!options || !*options || std::strcmp(options, "{}") == 0) return true;
  std::snprintf(message, size, "it takes no options, but was given %s", options);
  return false;
}

inline int out_of_memory(char* message, std::size_t size) {
  std::snprintf(message, size, "out of memory");
  return 1;
}

// Libraries that use OpenMP follow the calling thread's setting; a trial's thread may differ from the one that made the context.
inline void follow_threads(std::int32_t threads) {
  if (omp_get_max_threads() != threads && !omp_in_parallel()) omp_set_num_threads(threads);
}

// Whether a library with 32-bit sizes can take it.
inline bool fits_int(const khost_gemm& g) {
  constexpr std::int64_t most = INT32_MAX;
  return g.m <= most && g.n <= most && g.k <= most && g.lda <= most && g.ldb <= most && g.ldc <= most;
}

// Order and transposes are C enumerations with the same values in every CBLAS.
inline constexpr int row_major = 101, plain = 111, transposed = 112;

// `sgemm` is a cblas_sgemm with 32-bit sizes. Returns what a table's gemm returns.
template <class Order, class Transpose, class Sgemm>
int cblas_gemm(Sgemm* sgemm, const khost_gemm& g) {
  if (g.k <= 0 || !fits_int(g)) return KHOST_DECLINED;
  sgemm(static_cast<Order>(row_major), static_cast<Transpose>(g.transpose_a ? transposed : plain),
        static_cast<Transpose>(g.transpose_b ? transposed : plain), static_cast<int>(g.m), static_cast<int>(g.n),
        static_cast<int>(g.k), g.alpha, g.a, static_cast<int>(g.lda), g.b, static_cast<int>(g.ldb), g.beta, g.c,
        static_cast<int>(g.ldc));
  return 0;
}

}  // namespace khost::blas
