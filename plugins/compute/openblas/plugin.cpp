// OpenBLAS, the OpenMP flavour, a part of each product on each of OpenMP's threads. The pthread one would have threads of its
// own, which fight the host's for the cores.

#include <cblas.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include "../blas.hpp"
#include "../build_id.hpp"
#include "../multiplies.hpp"
#include "../openblas_kernels.hpp"
#include "../split.hpp"
#include "khost/plugin.hpp"

namespace {

using khost::blas::Context;

int score() { return 100; }

// Opened by its path and not linked: every flavour is called libopenblas.so.0, so that the loader would give whichever came first
// into the process under that name, and OPENBLAS_CORETYPE is looked at before OpenBLAS reads it.
constexpr const char* file = KHOST_OPENBLAS_FOLDER "/libopenblas.so.0";

constexpr const char* coretype = "OPENBLAS_CORETYPE";

struct Library {
  void* handle = nullptr;
  decltype(&cblas_sgemm) sgemm = nullptr;
  std::string version, kernel;
  std::string fault;  // why it cannot be used
};

template <class Function>
bool find(void* handle, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(handle, name));
  return function != nullptr;
}

// OpenBLAS with the kernels that OPENBLAS_CORETYPE names, or of its own choice.
Library load_once() {
  Library library;
  library.handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (!library.handle) {
    library.fault = std::string("OpenBLAS cannot be loaded: ") + dlerror() + "\ninstall the Debian package libopenblas0-openmp";
    return library;
  }
  decltype(&openblas_get_parallel) parallel = nullptr;
  decltype(&openblas_get_config) config = nullptr;
  decltype(&openblas_get_corename) core = nullptr;
  if (!find(library.handle, "cblas_sgemm", library.sgemm) || !find(library.handle, "openblas_get_parallel", parallel) ||
      !find(library.handle, "openblas_get_config", config) || !find(library.handle, "openblas_get_corename", core)) {
    library.fault = std::string(file) + " is no OpenBLAS: a function is missing (" + dlerror() +
                    ")\ninstall the Debian package libopenblas0-openmp again";
    return library;
  }
  if (parallel() != OPENBLAS_OPENMP) {
    library.fault = std::string(file) + " is the " + (parallel() == OPENBLAS_THREAD ? "pthread" : "sequential") +
                    " flavour of OpenBLAS; khost needs the OpenMP one, as the threads of any other fight khost's for the cores\n"
                    "install the Debian package libopenblas0-openmp again";
    return library;
  }
  library.kernel = core();
  // openblas_get_config() begins "OpenBLAS 0.3.21 NO_LAPACKE ..."
  const char* version = std::strchr(config(), ' ');
  version = version ? version + 1 : config();
  library.version.assign(version, std::strcspn(version, " "));
  library.version += khost::blas::build_of(reinterpret_cast<const void*>(library.sgemm));
  return library;
}

// OPENBLAS_CORETYPE while it lives; unset or empty before and after. The first context is made before trials have threads.
class Coretype {
 public:
  explicit Coretype(const std::string& kernels) : was_set_(std::getenv(coretype) != nullptr) {
    setenv(coretype, kernels.c_str(), 1);
  }
  ~Coretype() { was_set_ ? setenv(coretype, "", 1) : unsetenv(coretype); }
  Coretype(const Coretype&) = delete;

 private:
  bool was_set_;
};

Library load() {
  Library library;
  library.fault = khost::blas::fault_of_coretype();
  if (!library.fault.empty()) return library;
  library = load_once();
  if (!library.fault.empty()) return library;
  library.fault = khost::blas::fault_of_core(library.kernel.c_str());
  const std::string wide =
      khost::blas::asked_coretype().empty() ? khost::blas::wider_than(library.kernel, khost::blas::this_cpu()) : "";
  if (wide.empty()) return library;
  // It reads the variable as it is loaded, and only then. Where it cannot be unloaded, the second is the first. Closing is safe:
  // this flavour has no threads of its own, and nothing but one-thread products has run in it.
  dlclose(library.handle);
  {
    const Coretype set(wide);
    library = load_once();
    if (library.fault.empty() && khost::blas::multiplies<CBLAS_ORDER, CBLAS_TRANSPOSE>(library.sgemm)) return library;
  }
  if (library.handle) dlclose(library.handle);
  return load_once();
}

const Library& the_library() {
  static std::once_flag once;
  static auto* const loaded = new Library;  // never destroyed: a trial may end after main does
  std::call_once(once, [] { *loaded = load(); });
  return *loaded;
}

int create(const char* options, int32_t threads, void** context, char* message, size_t size) try {
  if (!khost::blas::without_options(options, message, size)) return 1;
  const Library& library = the_library();
  if (!library.fault.empty()) {
    std::snprintf(message, size, "%s", library.fault.c_str());
    return 1;
  }
  *context = new Context{threads};
  return 0;
} catch (...) {
  return khost::blas::out_of_memory(message, size);
}

void destroy(void* context) { delete static_cast<Context*>(context); }

void info(void* context, khost_compute_info* out) {
  const Library& library = the_library();
  std::snprintf(out->library, sizeof out->library, "OpenBLAS");
  std::snprintf(out->version, sizeof out->version, "%s", library.version.c_str());
  std::snprintf(out->kernel, sizeof out->kernel, "%s", library.kernel.c_str());
  out->threads = static_cast<Context*>(context)->threads;
}

int gemm(void* context, const khost_gemm* g) {
  if (g->k <= 0 || !khost::blas::fits_int(*g)) return KHOST_DECLINED;
  khost::blas::split(*g, static_cast<Context*>(context)->threads, [](const khost_gemm& part) {
    khost::blas::cblas_gemm<CBLAS_ORDER, CBLAS_TRANSPOSE>(the_library().sgemm, part);
  });
  return 0;
}

constexpr khost_compute table = {
    sizeof(khost_compute), KHOST_COMPUTE_API, score, create, destroy, info, gemm, nullptr, nullptr, nullptr, nullptr};

}  // namespace

KHOST_COMPUTE_PLUGIN(khost::compute("openblas", "OpenBLAS with OpenMP threads: optimised matrix products", 1, &table))
