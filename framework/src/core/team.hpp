// How many threads the regions of khost/parallel.hpp and of the BLAS libraries have.
#pragma once

namespace khost {

// From now on regions begun on the calling thread have that many threads, whatever OMP_NUM_THREADS, OMP_DYNAMIC and
// OMP_MAX_ACTIVE_LEVELS say. Throws a usage Error where the runtime gives fewer all the same: some libraries (OpenBLAS) would
// then wait for ever for the threads that are missing.
void set_team(int threads);

}  // namespace khost
