#include "check.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <stdexcept>

#include "../blas.hpp"

namespace khost::cblas {

// An int is handed over in a register or a stack slot of 64 bits, and the one called must not look at its upper half. There
// stands a 1 here, in lda: one with 32-bit sizes sees rows 3 apart, one with 64-bit sizes sees them 2^32 + 3 apart, and finds
// zeros that lie ready there. Both are within what is mapped. (Most callers leave zeros in the upper half, so that an ILP64
// library answers rightly until one does not.)
bool reads_wide_sizes(Sgemm* sgemm) {
  constexpr std::size_t page = 1 << 16, far = std::size_t{1} << 32;  // page: of any architecture
  constexpr std::size_t bytes = far * sizeof(float) + 2 * page;
  void* area = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED)
    throw std::runtime_error(
        "whether the library takes 32-bit sizes cannot be asked: it needs 16 GiB of addresses (no memory)\n"
        "lift the limit on address space (ulimit -v unlimited)");
  char* const near = static_cast<char*>(area);
  bool wide = true;
  if (mprotect(near, 2 * page, PROT_READ | PROT_WRITE) == 0 &&
      mprotect(near + far * sizeof(float), 2 * page, PROT_READ | PROT_WRITE) == 0) {
    auto* a = reinterpret_cast<float*>(near + page / 2);  // 2 x 2
    a[0] = 1, a[1] = 2, a[3] = 3, a[4] = 4;
    const float b[] = {1, 10, 100, 1000};
    float c[4] = {};
    using WideRows = void(int, int, int, int, int, int, float, const float*, std::int64_t, const float*, int, float, float*, int);
    std::bit_cast<WideRows*>(sgemm)(blas::row_major, blas::plain, blas::plain, 2, 2, 2, 1.0f, a,
                                    static_cast<std::int64_t>(far) + 3, b, 2, 0.0f, c, 2);
    const float expected[] = {201, 2010, 403, 4030};
    wide = !std::ranges::equal(c, expected);
  }
  munmap(area, bytes);
  return wide;
}

}  // namespace khost::cblas
