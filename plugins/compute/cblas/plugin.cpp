// Any CBLAS, by the path of its file: "compute": {"plugin": "cblas", "library": "/path/to/libmkl_rt.so"}

#include <cstdio>
#include <exception>
#include <mutex>

#include "../options.hpp"
#include "../split.hpp"
#include "khost/plugin.hpp"
#include "library.hpp"

namespace {

using khost::cblas::Library;

struct Context {
  int32_t threads;
  const Library* library;
};

int score() { return 50; }  // unknown what it will be; never taken without being named, since it needs a path

int create(const char* options, int32_t threads, void** context, char* message, size_t size) {
  try {
    const std::string path = khost::blas::string_of(options ? options : "", "library");
    if (path.empty()) {
      std::snprintf(message, size,
                    "it needs the path of a CBLAS, which --backend cannot give it\n"
                    "write in the manifest \"compute\": {\"plugin\": \"cblas\", \"library\": \"/path/to/libcblas.so.3\"}, "
                    "or add --set 'compute={\"plugin\": \"cblas\", \"library\": \"/path/to/libcblas.so.3\"}'");
      return 1;
    }
    *context = new Context{threads, &khost::cblas::open_library(path)};
    return 0;
  } catch (const std::exception& e) {
    std::snprintf(message, size, "%s", e.what());
    return 1;
  } catch (...) {
    std::snprintf(message, size, "the library threw something that is no exception of C++'s own");
    return 1;
  }
}

void destroy(void* context) { delete static_cast<Context*>(context); }

void info(void* context, khost_compute_info* out) {
  const auto& [threads, library] = *static_cast<Context*>(context);
  std::snprintf(out->library, sizeof out->library, "%s", library->name.c_str());
  std::snprintf(out->version, sizeof out->version, "%s", library->version.c_str());
  std::snprintf(out->kernel, sizeof out->kernel, "%s", library->kernel.c_str());
  out->threads = library->threads(threads);
}

int gemm(void* context, const khost_gemm* g) {
  if (g->k <= 0 || !khost::blas::fits_int(*g)) return KHOST_DECLINED;
  const auto& [threads, library] = *static_cast<Context*>(context);
  const auto multiply = [sgemm = library->sgemm](const khost_gemm& part) { khost::blas::cblas_gemm<int, int>(sgemm, part); };
  if (library->one_call_at_a_time) {
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    khost::blas::split(*g, 1, multiply);
  } else {
    khost::blas::split(*g, library->own_threads ? 1 : threads, multiply);
  }
  return 0;
}

constexpr khost_compute_option keys[] = {
    {"library", "the file of a CBLAS with 32-bit sizes: libmkl_rt.so, libblis-mt.so, libcblas.so.3", KHOST_OPTION_PATH, 1},
    {nullptr, nullptr, 0, 0}};

constexpr khost_compute table = {
    sizeof(khost_compute), KHOST_COMPUTE_API, score, create, destroy, info, gemm, nullptr, nullptr, nullptr, keys};

}  // namespace

KHOST_COMPUTE_PLUGIN(khost::compute("cblas", "any CBLAS library by its path: MKL, AOCL, ATLAS, netlib", 1, &table))
