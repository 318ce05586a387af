// OpenBLAS, the OpenMP flavour: it shares libgomp's threads with the host, where the pthread one would fight them for the cores.

#include <cblas.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstring>

#include "../blas.hpp"
#include "khost/plugin.hpp"

namespace {

using khost::blas::Context;

int score() { return 100; }

int create(const char* options, int32_t threads, void** context, char* message, size_t size) {
  if (!khost::blas::without_options(options, message, size)) return 1;
  if (openblas_get_parallel() != OPENBLAS_OPENMP) {
    Dl_info where{};
    dladdr(reinterpret_cast<const void*>(&openblas_get_parallel), &where);
    std::snprintf(
        message, size,
        "the OpenBLAS that was loaded, %s, is the %s flavour; khost needs the OpenMP one, as the threads of any other "
        "fight khost's for the cores\n"
        "install the Debian package libopenblas0-openmp if it is missing (`khost doctor` shows what is)\n"
        "if it is there, the other one came before it under the same name: unset LD_PRELOAD, and look at LD_LIBRARY_PATH",
        where.dli_fname ? where.dli_fname : "libopenblas.so.0",
        openblas_get_parallel() == OPENBLAS_THREAD ? "pthread" : "sequential");
    return 1;
  }
  *context = new (std::nothrow) Context{threads};
  if (!*context) return khost::blas::out_of_memory(message, size);
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
  khost::blas::follow_threads(static_cast<Context*>(context)->threads);
  return khost::blas::cblas_gemm<CBLAS_ORDER, CBLAS_TRANSPOSE>(cblas_sgemm, *g);
}

constexpr khost_compute table = {
    sizeof(khost_compute), KHOST_COMPUTE_API, score, create, destroy, info, gemm, nullptr, nullptr, nullptr, nullptr};

}  // namespace

KHOST_COMPUTE_PLUGIN(khost::compute("openblas", "OpenBLAS with OpenMP threads: optimised matrix products", 1, &table))
