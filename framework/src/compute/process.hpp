// What the environment did to this process: found in one place, so that what `run` refuses or says, `doctor` says too.
#pragma once

#include <string>
#include <vector>

namespace khost {

struct Trouble {
  bool refused = false;  // no figure could be trusted, or no end be sure; otherwise it is only said
  std::string what, mend;
};

// Libraries that came before those that khost loads (LD_PRELOAD), a second OpenMP runtime, settings that main() set aside. What
// is loaded later is not seen yet: to be asked when the backends are made.
std::vector<Trouble> process_troubles();

// Throws the first that is refused, as a plugin Error.
void refuse_process(const std::vector<Trouble>& troubles);

// Bytes of address space that the libraries lay out, whether they use them or not.
double reserved_by_libraries();

// For main(), before anything is computed. libgomp reads its settings when it is loaded, which is before main(): where they have
// to be others, the program is started again, once, in the same process. Does so for
//   how long a thread waits awake for the others of its team (GOMP_SPINCOUNT), unless the user chose: the default is
//   milliseconds,
//     and on a machine that runs something else too each of them is taken from the thread that is waited for;
//   the stack of its threads (OMP_STACKSIZE, ulimit -s), where it is too small for the libraries;
//   OMP_PROC_BIND, OMP_PLACES, GOMP_CPU_AFFINITY, which put trials that run side by side on the same processors. The processors
//     they name stay the ones that khost runs on.
// Returns where nothing has to change, or the program cannot be started again.
void settle_openmp(char** argv);

}  // namespace khost
