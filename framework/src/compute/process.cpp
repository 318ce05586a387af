#include "compute/process.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "compute/cpu_quota.hpp"
#include "compute/machine.hpp"
#include "khost/error.hpp"
#include "khost/openmp.hpp"

namespace khost {
namespace {

// One function of each library that a backend uses. khost itself is linked with none of them, and plugins are loaded in scopes of
// their own: what is found in the program's scope was put there, and would be called in place of the library of that name.
constexpr const char* telltales[] = {"cblas_sgemm", "sgemm_", "bli_sgemm_ex", "openblas_get_config", "dnnl_primitive_execute"};

std::string preloaded_library() {
  for (const char* name : telltales)
    if (void* found = dlsym(RTLD_DEFAULT, name)) {
      Dl_info where{};
      dladdr(found, &where);
      return fmt::format("{}, which has {},", where.dli_fname ? where.dli_fname : "a library", name);
    }
  return "";
}

constexpr const char* set_aside = "KHOST_SET_ASIDE";  // what main() did, for the program that it started: "OMP_PLACES=cores"
constexpr const char* spins = "2000";                 // some 50 microseconds, what it costs to wake a thread: docs/decisions/0010

// libgomp has bound this thread to the first place already; a program that it starts would inherit that.
void unbind() {
  cpu_set_t all;
  CPU_ZERO(&all);
  for (int place = 0; place < omp_get_num_places(); ++place) {
    std::vector<int> ids(static_cast<std::size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, ids.data());
    for (const int id : ids)
      if (id >= 0 && id < CPU_SETSIZE) CPU_SET(id, &all);
  }
  if (CPU_COUNT(&all) > 0) ::sched_setaffinity(0, sizeof all, &all);
}

constexpr rlim_t enough_stack = rlim_t{8} << 20;  // of a thread: the usual limit

rlim_t stack_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_STACK, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

// Threads have stacks of the size that the limit had when the program was started. Whether it was changed.
bool raise_stack_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= std::min(enough_stack, limit.rlim_max)) return false;
  limit.rlim_cur = std::min(enough_stack, limit.rlim_max);
  return ::setrlimit(RLIMIT_STACK, &limit) == 0;
}

rlim_t address_space_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_AS, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

}  // namespace

// What OpenBLAS (128 MiB a thread, when it is loaded) and the others reserve whether they use it or not, with khost's own: below
// it OpenBLAS asks again for ever, and others crash. Seen on two processors: 900 MB do.
double reserved_by_libraries() {
  return static_cast<double>((std::int64_t{1} << 30) + (std::int64_t{128} << 20) * available_processors());
}

std::vector<Trouble> process_troubles() {
  std::vector<Trouble> troubles;
  if (const std::string library = preloaded_library(); !library.empty()) {
    const char* preload = std::getenv("LD_PRELOAD");
    troubles.push_back(
        {true,
         fmt::format("{} is in this process before the backends' own libraries, and would compute under their names", library),
         preload ? fmt::format("unset LD_PRELOAD (it is '{}')", preload)
                 : "start khost without it; `ldd` and LD_AUDIT show where it comes from"});
  }
  if (const auto runtimes = mapped_libraries({"libgomp", "libomp", "libiomp5"}); runtimes.size() > 1)
    troubles.push_back({true,
                        fmt::format("{} OpenMP runtimes are loaded ({}): their threads fight for the processors", runtimes.size(),
                                    fmt::join(runtimes, ", ")),
                        "link plugins with libgomp alone (g++ -fopenmp), and unset LD_PRELOAD"});
  if (stack_limit() < rlim_t{1} << 20)
    troubles.push_back(
        {true,
         fmt::format("the stack of a thread is limited to {} KiB, which is too little for the libraries", stack_limit() >> 10),
         "raise the limit: ulimit -s 8192"});
  const auto reserved = static_cast<rlim_t>(reserved_by_libraries());
  if (const rlim_t limit = address_space_limit(); limit < reserved)
    troubles.push_back({true,
                        fmt::format("the address space of this process is limited to {} MiB; the libraries reserve more, whether "
                                    "they use it or not, and wait for it for ever",
                                    limit >> 20),
                        fmt::format("raise the limit to {} MiB or more (ulimit -v {}); a cgroup limits what is used",
                                    reserved >> 20, reserved >> 10)});
  if (omp_get_proc_bind() != omp_proc_bind_false)  // the program could not be started again
    troubles.push_back({false, "OpenMP binds threads to processors: trials that run side by side share the same ones",
                        "unset OMP_PROC_BIND, OMP_PLACES and GOMP_CPU_AFFINITY"});
  else if (const char* aside = std::getenv(set_aside); aside && *aside)
    troubles.push_back(
        {false,
         fmt::format("{} in the environment is not followed: it would put trials that run side by side on the same "
                     "processors",
                     aside),
         "`taskset -c 0-3 khost ...` keeps khost on processors 0 to 3"});
  return troubles;
}

void refuse_process(const std::vector<Trouble>& troubles) {
  for (const Trouble& trouble : troubles)
    if (trouble.refused) throw Error(ErrorKind::plugin, trouble.what).hint(trouble.mend);
}

void settle_openmp(char** argv) {
  std::string aside;
  for (const char* name : {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"})
    if (const char* value = std::getenv(name)) aside += fmt::format("{}{}={}", aside.empty() ? "" : ", ", name, value);
  const bool small_stacks = raise_stack_limit() || std::getenv("OMP_STACKSIZE") || std::getenv("GOMP_STACKSIZE");
  const bool chosen = std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT");
  if (aside.empty() && chosen && !small_stacks) return;
  ::unsetenv("OMP_STACKSIZE");  // the system's own size is enough, and nothing here needs more
  ::unsetenv("GOMP_STACKSIZE");
  if (!aside.empty()) {
    if (omp_get_proc_bind() != omp_proc_bind_false) unbind();
    for (const char* name : {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"}) ::unsetenv(name);
    ::setenv(set_aside, aside.c_str(), 1);
  }
  if (!chosen) ::setenv("GOMP_SPINCOUNT", spins, 1);
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return;
  path[length] = 0;
  ::execv(path, argv);
}

}  // namespace khost
