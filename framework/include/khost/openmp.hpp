// What khost calls of libgomp, the runtime whose threads the BLAS libraries use too. It is called, not compiled to by -fopenmp:
// clang++ would compile to its own runtime, libomp, and a second pool of threads would fight this one for the cores.
// Plugins split their work by khost/parallel.hpp. Link with gomp.
#pragma once

extern "C" {
void omp_set_num_threads(int threads) noexcept;  // of the calling thread's parallel regions
void omp_set_dynamic(int may) noexcept;          // whether they may get fewer, by the load of the machine
int omp_get_max_threads() noexcept;
int omp_get_num_procs() noexcept;
int omp_get_thread_limit() noexcept;  // OMP_THREAD_LIMIT
int omp_get_thread_num() noexcept;    // in a parallel region: 0, 1, ..
int omp_get_num_threads() noexcept;   // of it
int omp_in_parallel() noexcept;

// What g++ makes of "#pragma omp parallel num_threads(threads)": body(data) on so many threads at once, this one among them;
// returns when all are done. OMP_THREAD_LIMIT and OMP_DYNAMIC can make them fewer. `body` must not throw; flags are 0.
void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags);
}
