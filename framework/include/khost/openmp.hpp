// What khost calls of libgomp, the runtime whose threads the BLAS libraries use too. It is called, not compiled to by -fopenmp:
// clang++ would compile to its own runtime, libomp, and a second pool of threads would fight this one for the cores.
// Plugins split their work by khost/parallel.hpp. Link with gomp.
#pragma once

#include <omp.h>  // g++'s or clang++'s: what is used here is the same in both

// What g++ makes of "#pragma omp parallel num_threads(threads)": body(data) on so many threads at once, this one among them;
// returns when all are done. OMP_THREAD_LIMIT and OMP_DYNAMIC can make them fewer. `body` must not throw; flags are 0.
extern "C" void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags);
