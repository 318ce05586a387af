// BLIS through its own interface, a part of each product on each of OpenMP's threads.

#include <blis.h>
#include <dlfcn.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "../blas.hpp"
#include "../build_id.hpp"
#include "../cpu.hpp"
#include "../split.hpp"
#include "khost/plugin.hpp"

namespace {

using khost::blas::Context;
using khost::blas::Cpu;

int score() { return 90; }  // Measured against OpenBLAS: docs/plugins/compute.md

// Whether BLIS's f32 kernels of that name run on the CPU: it does not ask when BLIS_ARCH_TYPE names them, and dies of an illegal
// instruction. Of the architectures that are no x86-64 it has none, and aborts.
bool runs(arch_t kernels, const Cpu& cpu) {
  switch (kernels) {
    case BLIS_ARCH_SKX:
      return cpu.has({"avx512f", "avx512dq", "avx512bw", "avx512vl"});
    case BLIS_ARCH_KNL:
      return cpu.has({"avx512f", "avx512cd", "avx512er", "avx512pf"});
    case BLIS_ARCH_HASWELL:
    case BLIS_ARCH_ZEN:
    case BLIS_ARCH_ZEN2:
    case BLIS_ARCH_ZEN3:
      return cpu.has({"avx2", "fma"});
    case BLIS_ARCH_SANDYBRIDGE:
      return cpu.has({"avx"});
    case BLIS_ARCH_PENRYN:
      return cpu.has({"ssse3"});
    case BLIS_ARCH_EXCAVATOR:
    case BLIS_ARCH_STEAMROLLER:
    case BLIS_ARCH_PILEDRIVER:
      return cpu.has({"fma", "fma4"});
    case BLIS_ARCH_BULLDOZER:
      return cpu.has({"fma4"});
    case BLIS_ARCH_GENERIC:
      return true;
    default:
      return false;
  }
}

// The sub-configuration to ask BLIS 0.9 for where its own search falls short; nothing where it finds the right one.
//   AVX-512: on Intel it takes these kernels only where the model name tells it how many vector units there are, and virtual
//     machines and newer Xeons do not say; on AMD never. With one unit both have AVX2's peak, with two these have twice it.
//   AMD from Zen 3 on: it knows the first models of Zen 3, and gives all later ones plain C.
std::optional<arch_t> better_than_found(const Cpu& cpu) {
  const bool amd = cpu.vendor.ends_with("AuthenticAMD");
  if ((amd || cpu.vendor.ends_with("GenuineIntel")) && runs(BLIS_ARCH_SKX, cpu)) return BLIS_ARCH_SKX;
  if (amd && cpu.family >= 0x19 && runs(BLIS_ARCH_ZEN3, cpu)) return BLIS_ARCH_ZEN3;
  return std::nullopt;
}

// Empty, or what is wrong with the user's BLIS_ARCH_TYPE.
std::string fault_of(std::string_view asked, const Cpu& cpu) {
  int id = -1;
  const auto [end, failure] = std::from_chars(asked.data(), asked.data() + asked.size(), id);
  const bool known = failure == std::errc{} && end == asked.data() + asked.size() && id >= 0 && id < BLIS_NUM_ARCHS;
  if (known && runs(static_cast<arch_t>(id), cpu)) return {};
  std::string possible;
  for (id = 0; id < BLIS_NUM_ARCHS; ++id)
    if (const auto kernels = static_cast<arch_t>(id); runs(kernels, cpu))
      possible += (possible.empty() ? "" : ", ") + std::to_string(id) + " (" + bli_arch_string(kernels) + ")";
  return "BLIS_ARCH_TYPE is '" + std::string(asked) + "' in the environment: no kernels of this BLIS that run on this CPU\n" +
         "unset it, or set it to one of " + possible;
}

// Empty, or why BLIS cannot be used.
std::string initialise() {
  const Cpu cpu = khost::blas::this_cpu();
  if (const char* asked = std::getenv("BLIS_ARCH_TYPE")) {
    if (std::string fault = fault_of(asked, cpu); !fault.empty()) return fault;
  } else if (const auto better = better_than_found(cpu)) {
    ::setenv("BLIS_ARCH_TYPE", std::to_string(static_cast<int>(*better)).c_str(), 0);
  }
  bli_init();  // reads the variable. BLIS 0.9 aborts where it is set and another call comes first
  return {};
}

int create(const char* options, int32_t threads, void** context, char* message, size_t size) try {
  if (!khost::blas::without_options(options, message, size)) return 1;
  static std::once_flag once;  // the environment is written before any trial runs
  static std::string fault;
  std::call_once(once, [] { fault = initialise(); });
  if (!fault.empty()) {
    std::snprintf(message, size, "%s", fault.c_str());
    return 1;
  }
  if (!bli_info_get_enable_openmp()) {
    Dl_info where{};
    dladdr(reinterpret_cast<const void*>(&bli_info_get_enable_openmp), &where);
    std::snprintf(message, size,
                  "the BLIS that was loaded, %s, is not the OpenMP flavour (Debian package libblis4-openmp); something else in "
                  "this process loaded it first under the same library name: unset LD_PRELOAD and look at LD_LIBRARY_PATH",
                  where.dli_fname ? where.dli_fname : "libblis.so.4");
    return 1;
  }
  *context = new (std::nothrow) Context{threads};
  return *context ? 0 : khost::blas::out_of_memory(message, size);
} catch (...) {
  return khost::blas::out_of_memory(message, size);
}

void destroy(void* context) { delete static_cast<Context*>(context); }

void info(void* context, khost_compute_info* out) {
  std::snprintf(out->library, sizeof out->library, "BLIS");
  std::snprintf(out->version, sizeof out->version, "%s%s", bli_info_get_version_str(),
                khost::blas::build_of(reinterpret_cast<const void*>(&bli_sgemm_ex)).c_str());
  std::snprintf(out->kernel, sizeof out->kernel, "%s", bli_arch_string(bli_arch_query_id()));
  out->threads = static_cast<Context*>(context)->threads;
}

// On the calling thread alone.
void multiply(const khost_gemm& g) {
  rntm_t one;  // with the call, not bli_thread_set_num_threads: that is one setting for the process
  bli_rntm_init(&one);
  bli_rntm_set_num_threads(1, &one);
  float alpha = g.alpha, beta = g.beta;
  // BLIS's interface takes its inputs as float*; it does not write to them.
  bli_sgemm_ex(g.transpose_a ? BLIS_TRANSPOSE : BLIS_NO_TRANSPOSE, g.transpose_b ? BLIS_TRANSPOSE : BLIS_NO_TRANSPOSE, g.m, g.n,
               g.k, &alpha, const_cast<float*>(g.a), g.lda, 1, const_cast<float*>(g.b), g.ldb, 1, &beta, g.c, g.ldc, 1, nullptr,
               &one);
}

int gemm(void* context, const khost_gemm* g) {
  if (g->k <= 0) return KHOST_DECLINED;
  khost::blas::split(*g, static_cast<Context*>(context)->threads, multiply);
  return 0;
}

constexpr khost_compute table = {
    sizeof(khost_compute), KHOST_COMPUTE_API, score, create, destroy, info, gemm, nullptr, nullptr, nullptr, nullptr};

}  // namespace

KHOST_COMPUTE_PLUGIN(khost::compute("blis", "BLIS with OpenMP threads: optimised matrix products", 1, &table))
