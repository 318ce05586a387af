#include "library.hpp"

#include <dlfcn.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <stdexcept>

#include "../blas.hpp"
#include "../multiplies.hpp"
#include "../openblas_kernels.hpp"
#include "check.hpp"
#include "files.hpp"

namespace khost::cblas {
namespace {

template <class Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

// The runtimes that fight libgomp, the host's, for the cores.
const char* second_openmp() {
  for (const char* name : {"libiomp5.so", "libomp.so.5", "libomp.so"})
    if (void* found = dlopen(name, RTLD_NOLOAD | RTLD_LAZY)) {
      dlclose(found);
      return name;
    }
  return nullptr;
}

// That it is a file is asked before it is opened: a FIFO would be waited for.
void check_path(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw std::runtime_error(
        "there is no file " + path + " (" + std::strerror(errno) +
        ")\n'library' is the path of a CBLAS, relative to the manifest; docs/plugins/compute.md names those of "
        "MKL, AOCL, ATLAS and netlib");
  if (S_ISDIR(status.st_mode))
    throw std::runtime_error(path + " is a folder\n'library' is the path of the file itself, such as libblas.so.3 in it");
  if (!S_ISREG(status.st_mode))
    throw std::runtime_error(path + " is a " +
                             (S_ISFIFO(status.st_mode)   ? "FIFO"
                              : S_ISSOCK(status.st_mode) ? "socket"
                                                         : "device") +
                             ", no file\n'library' is the path of a shared library");
}

void choose_layers_of_mkl(void* handle) {
  // With its first call. LP64: 32-bit sizes; the GNU layer runs on libgomp, as the host does.
  if (auto* layer = symbol<int(int)>(handle, "MKL_Set_Interface_Layer")) layer(0);
  if (auto* layer = symbol<int(int)>(handle, "MKL_Set_Threading_Layer")) layer(3);
}

// Those that say so of themselves, and then what every library is asked.
void check_sizes(void* handle, const Library& library) {
  auto* config = symbol<char*()>(handle, "openblas_get_config");
  auto* blis = symbol<std::int64_t()>(handle, "bli_info_get_blas_int_type_size");
  if ((config && std::strstr(config(), "USE64BITINT")) || (blis && blis() == 64) || reads_wide_sizes(library.sgemm))
    throw std::runtime_error(library.path +
                             " takes its sizes as 64 bits (ILP64); khost hands over 32 (LP64)\n"
                             "name the build with 32-bit sizes, the one without 64 or ilp64 in its name");
}

void check_openblas(void* handle, Library& library) {
  auto* parallel = symbol<int()>(handle, "openblas_get_parallel");
  if (parallel && parallel() == 1)
    throw std::runtime_error(
        library.path +
        " is the pthread flavour of OpenBLAS, whose threads fight the host's for the cores\n"
        "take the OpenMP one (Debian package libopenblas0-openmp), or {\"plugin\": \"openblas\"}, which uses it");
  // The buffers that its calls share have a lock only where it was built with one, which it does not tell.
  library.one_call_at_a_time = parallel && parallel() == 0;
  if (auto* core = symbol<char*()>(handle, "openblas_get_corename")) {
    library.kernel = core();
    if (const std::string fault = blas::fault_of_core(core()); !fault.empty()) throw std::runtime_error(fault);
  }
}

// One thread a call, as the calls come from as many as there are to be. What uses OpenMP has one within a parallel region, and
// outside by the calling thread's setting; to others it is said once, as it is one number for the process.
void settle_threads(void* handle, Library& library, const Files& files) {
  bool told = symbol<int()>(handle, "openblas_get_parallel") != nullptr;
  if (auto* set = symbol<void(int)>(handle, "MKL_Set_Num_Threads")) set(1), told = true;
  if (auto* set = symbol<void(std::int64_t)>(handle, "bli_thread_set_num_threads")) set(1), told = true;  // AOCL, BLIS
  const bool openmp = std::ranges::any_of(files.all, &File::openmp);
  library.own_threads = !told && !openmp && std::ranges::any_of(files.all, &File::starts_threads);
}

std::string short_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Library load(const std::string& path) {
  check_path(path);
  // Before anything of it runs: it may be, or need, an OpenBLAS.
  if (const std::string fault = blas::fault_of_coretype(); !fault.empty()) throw std::runtime_error(fault);
  const bool openmp_before = second_openmp() != nullptr;
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    throw std::runtime_error(std::string("the library cannot be loaded: ") + dlerror() +
                             "\nit has to be a shared library for this machine, with all that it needs installed (ldd shows it)");
  Library library;
  library.path = path;
  library.kernel = "unknown";
  library.sgemm = symbol<Sgemm>(handle, "cblas_sgemm");
  if (!library.sgemm)
    throw std::runtime_error(
        path +
        " has no function cblas_sgemm: it is no CBLAS\n"
        "where the Fortran interface comes in a file of its own, name the other one (ATLAS: libcblas.so.3; MKL: libmkl_rt.so)");
  choose_layers_of_mkl(handle);
  if (const char* runtime = second_openmp(); runtime && !openmp_before)
    throw std::runtime_error(path + " brings " + runtime +
                             ", a second OpenMP runtime: beside the host's libgomp both run at half speed\n"
                             "take its build for GNU OpenMP (MKL: libmkl_rt.so, which khost asks for its GNU layer; AOCL: the "
                             "gcc build of libblis-mt.so)");
  check_openblas(handle, library);
  if (!blas::multiplies<int, int>(library.sgemm))
    throw std::runtime_error(path +
                             " gives a wrong product for a 2 x 2 matrix: it is damaged, or a build with 64-bit sizes (ILP64)\n"
                             "name the build with 32-bit sizes (LP64), the one without 64 or ilp64 in its name");
  check_sizes(handle, library);

  const Files files = files_behind(handle, reinterpret_cast<const void*>(library.sgemm));
  settle_threads(handle, library, files);
  for (const File& file : files.all)
    if (!file.helps) library.name += (library.name.empty() ? "" : " + ") + short_name(file.path);
  library.version = "files " + files.hash;
  return library;
}

}  // namespace

const Library& open_library(const std::string& path) {
  static std::mutex mutex;
  static auto* const opened = new std::list<Library>;  // never destroyed: a trial may end after main does
  const std::lock_guard lock(mutex);
  for (const Library& library : *opened)
    if (library.path == path) return library;
  return opened->emplace_back(load(path));
}

}  // namespace khost::cblas
