// Products whose bits do not depend on the number of threads.
#include <algorithm>

#include "compute/backend.hpp"
#include "core/team.hpp"
#include "khost/openmp.hpp"
#include "khost/parallel.hpp"

namespace khost {

Backend::Backend(std::vector<std::unique_ptr<Backend>> workers) : info_(workers.at(0)->info()), workers_(std::move(workers)) {
  info_.threads = static_cast<int>(workers_.size());
  set_team(info_.threads);  // each worker set it to its own, 1
}

// Rows or columns of C, whichever are more, in whole units of 16. A part narrower than 128 would spend too much on laying out the
// operand that all parts share; one with less work than that is not worth a thread.
void Backend::gemm_in_parts(const khost_gemm& g) {
  constexpr std::int64_t unit = 16, narrowest = 128 / unit, least_work = 1 << 18;
  const bool by_columns = g.n >= g.m;
  const std::int64_t extent = by_columns ? g.n : g.m, across = by_columns ? g.m : g.n;
  const std::int64_t unit_work = unit * across * std::max<std::int64_t>(1, g.k);
  const std::int64_t grain = std::max(narrowest, (least_work + unit_work - 1) / unit_work);
  const int threads = omp_get_max_threads();
  const FixedRanges fixed(artifact_parts);
  parallel_for((extent + unit - 1) / unit, grain, [&](std::int64_t begin, std::int64_t end) {
    begin *= unit;
    end = std::min(extent, end * unit);
    khost_gemm part = g;
    if (by_columns) {
      part.n = end - begin;
      part.b += begin * (g.transpose_b ? g.ldb : 1);
      part.c += begin;
    } else {
      part.m = end - begin;
      part.a += begin * (g.transpose_a ? 1 : g.lda);
      part.c += begin * g.ldc;
    }
    // Within a parallel region a library works on the calling thread alone; outside, where this is the only part or the only
    // thread, its context has one thread.
    workers_[std::min(static_cast<std::size_t>(omp_get_thread_num()), workers_.size() - 1)]->gemm(part);
  });
  omp_set_num_threads(threads);  // a worker's library follows its context's number
}

}  // namespace khost
