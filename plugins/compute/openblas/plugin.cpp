// OpenBLAS, the OpenMP flavour: it shares libgomp's threads with the host, where the pthread one would fight them for the cores.

#include <cblas.h>
#include <dlfcn.h>
#include <omp.h>

#include <cstdio>
#include <cstring>

#include "khost/plugin.hpp"

namespace {

struct Context {
  int32_t threads;
};

int score() { return 100; }

int create(const char* options, int32_t threads, void** context, char* message, size_t size) {
  if (options && *options && std::strcmp(options, "{}") != 0) {
    std::snprintf(message, size, "it takes no options, but was given %s", options);
    return 1;
  }
  if (openblas_get_parallel() != OPENBLAS_OPENMP) {
    Dl_info where{};
    dladdr(reinterpret_cast<const void*>(&openblas_get_parallel), &where);
    std::snprintf(message, size,
                  "the OpenBLAS that was loaded, %s, is the %s flavour, but khost needs the OpenMP one (Debian package "
                  "libopenblas0-openmp): the threads of any other fight khost's for the cores\n"
                  "  something else in this process loaded it first under the same library name: unset LD_PRELOAD, and look at "
                  "LD_LIBRARY_PATH",
                  where.dli_fname ? where.dli_fname : "libopenblas.so.0",
                  openblas_get_parallel() == OPENBLAS_THREAD ? "pthread" : "sequential");
    return 1;
  }
  *context = new (std::nothrow) Context{threads};
  if (!*context) {
    std::snprintf(message, size, "out of memory");
    return 1;
  }
  openblas_set_num_threads(threads);
  return 0;
}

void destroy(void* context) { delete static_cast<Context*>(context); }

void info(void* context, khost_compute_info* out) {
  // openblas_get_config() begins "OpenBLAS 0.3.21 NO_LAPACKE ..."
  const char* config = openblas_get_config();
  const char* version = std::strchr(config, ' ');
  version = version ? version + 1 : config;
  std::snprintf(out->library, sizeof out->library, "OpenBLAS");
  std::snprintf(out->version, sizeof out->version, "%.*s", static_cast<int>(std::strcspn(version, " ")), version);
  std::snprintf(out->kernel, sizeof out->kernel, "%s", openblas_get_corename());
  out->threads = static_cast<Context*>(context)->threads;
}

int gemm(void* context, const khost_gemm* g) {
  constexpr int64_t most = INT32_MAX;  // this build's index type
  if (g->m > most || g->n > most || g->k > most || g->lda > most || g->ldb > most || g->ldc > most) return KHOST_DECLINED;
  if (g->k == 0) return KHOST_DECLINED;
  // OpenBLAS follows the calling thread's OpenMP setting; a trial's thread may differ from the one that made the context.
  const int32_t threads = static_cast<Context*>(context)->threads;
  if (omp_get_max_threads() != threads && !omp_in_parallel()) omp_set_num_threads(threads);
  cblas_sgemm(CblasRowMajor, g->transpose_a ? CblasTrans : CblasNoTrans, g->transpose_b ? CblasTrans : CblasNoTrans,
              static_cast<int>(g->m), static_cast<int>(g->n), static_cast<int>(g->k), g->alpha, g->a, static_cast<int>(g->lda),
              g->b, static_cast<int>(g->ldb), g->beta, g->c, static_cast<int>(g->ldc));
  return 0;
}

constexpr khost_compute table = {
    sizeof(khost_compute), KHOST_COMPUTE_API, score, create, destroy, info, gemm, nullptr, nullptr, nullptr};

}  // namespace

KHOST_COMPUTE_PLUGIN(khost::compute("openblas", "OpenBLAS with OpenMP threads: optimised matrix products", 1, &table))
