// A product over OpenMP's threads, each of which has the library multiply a part of C on its own.
//
// A library's own threads are worse in a program that multiplies from several threads: OpenBLAS has one number of threads for the
// process, and a product that is under way when another context changes it is wrong; with OpenMP giving fewer threads than it
// asked for it waits for ever. BLIS's threads wait awake, several times in a product, and never give up their core. Here they
// wait once, at the end, as OpenMP's do.
#pragma once

#include <algorithm>

#include "blas.hpp"

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace khost::blas {

// ThreadSanitizer does not see libgomp's barriers. khost's parallel_ranges() tells it of them, but a C table links nothing of
// libkhost: what a thread did before happened_before(p) comes before what another does after happened_after(p).
#if defined(__SANITIZE_THREAD__)
inline void happened_before(void* p) { __tsan_release(p); }
inline void happened_after(void* p) { __tsan_acquire(p); }
#else
inline void happened_before(void*) {}
inline void happened_after(void*) {}
#endif

// How C is cut: into rows x columns parts.
struct Grid {
  std::int64_t rows = 1, columns = 1;
};

// Parts begin at whole blocks of about what kernels take at once.
inline constexpr std::int64_t block = 32;

constexpr std::int64_t blocks_of(std::int64_t extent) { return (extent + block - 1) / block; }

// The grid whose largest part costs least: its multiplications, and the operands that are laid out for it.
inline Grid grid_of(const khost_gemm& g, std::int64_t threads) {
  constexpr double worth_a_thread = 1 << 16, layout = 8;  // both in multiplications: a thread's, an element's
  const double m = static_cast<double>(g.m), n = static_cast<double>(g.n), k = static_cast<double>(g.k);
  threads = std::min(threads, static_cast<std::int64_t>(std::min(1e6, 1 + m * n * k / worth_a_thread)));
  Grid best;
  double least = -1;
  for (std::int64_t rows = 1; rows <= std::min(threads, blocks_of(g.m)); ++rows) {
    const std::int64_t columns = std::min(threads / rows, blocks_of(g.n));
    const double height = static_cast<double>(block * ((blocks_of(g.m) + rows - 1) / rows)),
                 width = static_cast<double>(block * ((blocks_of(g.n) + columns - 1) / columns));
    const double cost = std::min(height, m) * std::min(width, n) + layout * (std::min(height, m) + std::min(width, n));
    if (least < 0 || cost < least) least = cost, best = {rows, columns};
  }
  return best;
}

// The part of `g` at that place of the grid; m or n is 0 where none is left.
inline khost_gemm part_of(khost_gemm g, const Grid& grid, std::int64_t index) {
  const auto cut = [](std::int64_t extent, std::int64_t i, std::int64_t parts) {
    return std::min(extent, block * (blocks_of(extent) * i / parts));
  };
  const std::int64_t row = index / grid.columns, column = index % grid.columns;
  const std::int64_t i = cut(g.m, row, grid.rows), j = cut(g.n, column, grid.columns);
  g.m = cut(g.m, row + 1, grid.rows) - i;
  g.n = cut(g.n, column + 1, grid.columns) - j;
  g.a += i * (g.transpose_a ? 1 : g.lda);
  g.b += j * (g.transpose_b ? g.ldb : 1);
  g.c += i * g.ldc + j;
  return g;
}

template <class Multiply>
struct Split {
  const khost_gemm* g;
  Grid grid;
  Multiply* multiply;
  char start = 0, end = 0;  // only their addresses matter
};

template <class Multiply>
void multiply_parts(void* data) {
  auto& split = *static_cast<Split<Multiply>*>(data);
  happened_after(&split.start);
  const std::int64_t parts = split.grid.rows * split.grid.columns;
  // All of them, also with fewer threads than were asked for.
  for (std::int64_t index = omp_get_thread_num(); index < parts; index += omp_get_num_threads()) {
    const khost_gemm part = part_of(*split.g, split.grid, index);
    if (part.m > 0 && part.n > 0) (*split.multiply)(part);
  }
  happened_before(&split.end);
}

// A library that uses OpenMP takes its number of threads from the calling thread's setting, but within a parallel region, where
// it has one. OpenBLAS would make that number the process's, too.
class OneThread {
 public:
  OneThread() {
    if (before_ != 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (before_ != 1) omp_set_num_threads(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_ = omp_get_max_threads();
};

// multiply(part) has the library multiply on the calling thread alone, and throws nothing.
template <class Multiply>
void split(const khost_gemm& g, std::int32_t threads, Multiply multiply) {
  const Grid grid = omp_in_parallel() ? Grid{} : grid_of(g, threads);
  if (grid.rows * grid.columns == 1) {
    const OneThread one;
    return multiply(g);
  }
  Split<Multiply> all{&g, grid, &multiply};
  happened_before(&all.start);
  GOMP_parallel(multiply_parts<Multiply>, &all, static_cast<unsigned>(grid.rows * grid.columns), 0);
  happened_after(&all.end);
}

}  // namespace khost::blas
