// Which kernels plugin openblas names on a CPU that OpenBLAS does not know.
#include <doctest/doctest.h>

#include <string>

#include "../../plugins/compute/openblas_kernels.hpp"

using khost::blas::Cpu;
using khost::blas::wider_than;

#if defined(__x86_64__)
TEST_CASE("OpenBLAS's kernels: wider ones where the CPU has wider vectors than those it took, else none") {
  const std::string avx2 = " pni ssse3 sse4_1 sse4_2 avx avx2 fma ";
  const Cpu old{"", " pni ssse3 ", 6}, middle{"", avx2, 6}, wide{"", avx2 + "avx512f avx512dq avx512bw avx512vl avx512cd ", 6};
  CHECK(wider_than("Prescott", old) == "");
  CHECK(wider_than("Prescott", middle) == "Haswell");
  CHECK(wider_than("Prescott", wide) == "SkylakeX");
  CHECK(wider_than("Haswell", middle) == "");
  CHECK(wider_than("Haswell", wide) == "SkylakeX");
  CHECK(wider_than("Cooperlake", wide) == "");
  CHECK(wider_than("of another architecture", wide) == "");
}
#endif
