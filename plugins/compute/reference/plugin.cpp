// The oracle: plain loops, every sum in double from first to last, rounded once.

#include <cstdio>

#include "../blas.hpp"
#include "khost/plugin.hpp"

namespace {

using khost::blas::Context;

int score() { return 1; }

int create(const char* options, int32_t threads, void** context, char* message, size_t size) {
  if (!khost::blas::without_options(options, message, size)) return 1;
  *context = new (std::nothrow) Context{threads};
  return *context ? 0 : khost::blas::out_of_memory(message, size);
}

void destroy(void* context) { delete static_cast<Context*>(context); }

void info(void* context, khost_compute_info* out) {
  std::snprintf(out->library, sizeof out->library, "khost reference");
  std::snprintf(out->version, sizeof out->version, "1");
  std::snprintf(out->kernel, sizeof out->kernel, "plain loops, double sums");
  out->threads = static_cast<Context*>(context)->threads;
}

// Each thread's share of the rows. ThreadSanitizer does not see libgomp's barriers; khost's parallel_ranges() tells it, but a C
// table links nothing of libkhost.
__attribute__((no_sanitize("thread"))) void multiply_rows(void* data) {
  const khost_gemm& g = *static_cast<const khost_gemm*>(data);
  const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
  const int64_t a_row = g.transpose_a ? 1 : g.lda, a_depth = g.transpose_a ? g.lda : 1;
  const int64_t b_depth = g.transpose_b ? 1 : g.ldb, b_col = g.transpose_b ? g.ldb : 1;
  for (int64_t i = g.m * thread / threads; i < g.m * (thread + 1) / threads; ++i) {
    constexpr int64_t width = 64;  // columns at a time, so that rows of B are read along
    for (int64_t j0 = 0; j0 < g.n; j0 += width) {
      const int64_t n = g.n - j0 < width ? g.n - j0 : width;
      double sum[width] = {};
      for (int64_t p = 0; p < g.k; ++p) {
        const double a = g.a[i * a_row + p * a_depth];
        for (int64_t j = 0; j < n; ++j) sum[j] += a * static_cast<double>(g.b[p * b_depth + (j0 + j) * b_col]);
      }
      for (int64_t j = 0; j < n; ++j) {
        float& c = g.c[i * g.ldc + j0 + j];
        const double product = static_cast<double>(g.alpha) * sum[j];
        c = static_cast<float>(g.beta == 0 ? product : product + static_cast<double>(g.beta) * static_cast<double>(c));
      }
    }
  }
}

int gemm(void* context, const khost_gemm* g) {
  khost_gemm product = *g;
  GOMP_parallel(multiply_rows, &product, static_cast<unsigned>(static_cast<Context*>(context)->threads), 0);
  return 0;
}

constexpr khost_compute table = {
    sizeof(khost_compute), KHOST_COMPUTE_API, score, create, destroy, info, gemm, nullptr, nullptr, nullptr, nullptr};

}  // namespace

KHOST_COMPUTE_PLUGIN(khost::compute("reference", "plain loops with double accumulation: the oracle for other backends", 1,
                                    &table))
