// OPENBLAS_CORETYPE: OpenBLAS takes the kernels it names without a look at the CPU, and dies of an illegal instruction; a name
// that it does not know it takes for none.
#pragma once

#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "cpu.hpp"

namespace khost::blas {

struct OpenblasKernels {
  const char* name;
  std::vector<const char*> needs;  // flags of /proc/cpuinfo
};

// Those of x86-64 that name kernels of their own, up to OpenBLAS 0.3.28. Of older ones that it maps to Prescott's (Katmai,
// Athlon) none: nobody means them.
inline std::vector<OpenblasKernels> openblas_kernels() {
  return {{"Prescott", {"pni"}},
          {"Atom", {"ssse3"}},
          {"Core2", {"ssse3"}},
          {"Nano", {"ssse3"}},
          {"Penryn", {"sse4_1"}},
          {"Dunnington", {"sse4_1"}},
          {"Nehalem", {"sse4_2"}},
          {"Opteron", {"3dnow"}},
          {"Opteron_SSE3", {"3dnow", "pni"}},
          {"Barcelona", {"sse4a", "3dnowprefetch"}},
          {"Bobcat", {"sse4a", "3dnowprefetch", "ssse3"}},
          {"Sandybridge", {"avx"}},
          {"Bulldozer", {"avx", "fma4"}},
          {"Piledriver", {"avx", "fma4", "fma"}},
          {"Steamroller", {"avx", "fma4", "fma"}},
          {"Excavator", {"avx2", "fma4", "fma"}},
          {"Haswell", {"avx2", "fma"}},
          {"Zen", {"avx2", "fma"}},
          {"SkylakeX", {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"}},
          {"Cooperlake", {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd", "avx512_vnni", "avx512_bf16"}},
          {"SapphireRapids",
           {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16"}}};
}

inline bool runs(const OpenblasKernels& kernels, const Cpu& cpu) {
  return std::ranges::all_of(kernels.needs, [&](const char* flag) { return cpu.has({flag}); });
}

inline const OpenblasKernels* kernels_called(const std::string& name) {
  static const std::vector<OpenblasKernels> all = openblas_kernels();
  const auto found = std::ranges::find_if(all, [&](const OpenblasKernels& k) { return strcasecmp(k.name, name.c_str()) == 0; });
  return found == all.end() ? nullptr : &*found;
}

// Of the vectors they compute in.
inline int bits(const OpenblasKernels& kernels) {
  const auto need = [&](const char* flag) { return std::ranges::find(kernels.needs, std::string(flag)) != kernels.needs.end(); };
  return need("avx512f") ? 512 : need("avx") || need("avx2") ? 256 : 128;
}

// OpenBLAS knows processors by their model numbers. One that is newer than itself gets kernels of twenty years ago on Intel's,
// and AVX2 on AMD's. The wide kernels that such a CPU runs all the same; "" where what OpenBLAS took is as wide.
inline std::string wider_than(const std::string& core, const Cpu& cpu) {
#if defined(__x86_64__)
  const OpenblasKernels* taken = kernels_called(core);
  for (const char* wide : {"SkylakeX", "Haswell"})
    if (const OpenblasKernels* kernels = kernels_called(wide); taken && runs(*kernels, cpu) && bits(*kernels) > bits(*taken))
      return wide;
#endif
  return {};
}

// What the user asks OpenBLAS for, "" when nothing.
inline std::string asked_coretype() {
  const char* asked = std::getenv("OPENBLAS_CORETYPE");
  return asked ? asked : "";
}

inline std::string coretype_refusal(const std::string& why, const Cpu& cpu) {
  std::string possible;
  for (const OpenblasKernels& kernels : openblas_kernels())
    if (runs(kernels, cpu)) possible += (possible.empty() ? "" : ", ") + std::string(kernels.name);
  return "OPENBLAS_CORETYPE is '" + asked_coretype() + "' in the environment: " + why + "\nunset it, or set it to one of " +
         possible;
}

// Before OpenBLAS is used: empty, or why it cannot be with what the environment asks of it. Architectures other than x86-64 have
// other names, which are left to OpenBLAS.
inline std::string fault_of_coretype() {
  const std::string asked = asked_coretype();
#if defined(__x86_64__)
  if (asked.empty()) return {};
  const Cpu cpu = this_cpu();
  if (const OpenblasKernels* kernels = kernels_called(asked))
    return runs(*kernels, cpu) ? "" : coretype_refusal("this CPU cannot run those kernels", cpu);
  return coretype_refusal("khost knows no kernels of that name", cpu);
#else
  return {};
#endif
}

// Once it is loaded: empty, or that it took others than it was asked for.
inline std::string fault_of_core(const char* core) {
  const std::string asked = asked_coretype();
  if (asked.empty() || !core || strcasecmp(core, asked.c_str()) == 0) return {};
  return coretype_refusal("this OpenBLAS has no such kernels and would take " + std::string(core) + "'s", this_cpu());
}

}  // namespace khost::blas
