#include "core/team.hpp"

#include <atomic>
#include <string>

#include "khost/error.hpp"
#include "khost/openmp.hpp"

namespace khost {

void set_team(int threads) {
  if (threads < 1) throw Error(ErrorKind::usage, std::to_string(threads) + " threads were asked for");
  if (threads > omp_get_thread_limit())
    throw Error(ErrorKind::usage, std::to_string(threads) + " threads were asked for, but OMP_THREAD_LIMIT allows " +
                                      std::to_string(omp_get_thread_limit()))
        .hint("unset OMP_THREAD_LIMIT, or ask for at most --threads " + std::to_string(omp_get_thread_limit()));
  omp_set_dynamic(0);  // figures must not depend on the machine's load
  omp_set_num_threads(threads);
  omp_set_max_active_levels(1);  // a library within a region works on its thread alone
  if (threads == 1 || omp_in_parallel()) return;
  thread_local std::atomic<int> came;  // not of the stack: ThreadSanitizer does not see libgomp's barriers
  came = 0;
  GOMP_parallel([](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &came, static_cast<unsigned>(threads), 0);
  if (came != threads)
    throw Error(ErrorKind::usage, std::to_string(threads) + " threads were asked for, but OpenMP gives " + std::to_string(came))
        .hint("unset what is set of OMP_... and GOMP_... in the environment, or ask for --threads " + std::to_string(came));
}

}  // namespace khost
