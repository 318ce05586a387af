// oneDNN: frozen weights are laid out once, and every shape of a step gets a primitive of its own that is kept.

#include <cstdio>
#include <new>

#include "../blas.hpp"
#include "../build_id.hpp"
#include "khost/plugin.hpp"
#include "onednn.hpp"

namespace {

using khost::onednn::Multiplier;
using khost::onednn::Packed;

int score() { return 110; }  // above OpenBLAS: a step takes four fifths of its time (docs/plugins/compute.md)

int create(const char* options, int32_t threads, void** context, char* message, size_t size) try {
  if (!khost::blas::without_options(options, message, size)) return 1;
  khost::blas::follow_threads(threads);
  auto* made = new (std::nothrow) Multiplier(threads);
  if (!made) return khost::blas::out_of_memory(message, size);
  if (!made->usable()) {
    delete made;
    std::snprintf(message, size, "oneDNN finds no CPU engine here, and every run's bases are made with it");
    return 1;
  }
  *context = made;
  return 0;
} catch (...) {
  return khost::blas::out_of_memory(message, size);
}

void destroy(void* context) { delete static_cast<Multiplier*>(context); }

const char* name_of(dnnl_cpu_isa_t isa) {
  switch (isa) {
    case dnnl_cpu_isa_sse41:
      return "sse4.1";
    case dnnl_cpu_isa_avx:
      return "avx";
    case dnnl_cpu_isa_avx2:
      return "avx2";
    case dnnl_cpu_isa_avx2_vnni:
      return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core:
      return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "other";
  }
}

void info(void* context, khost_compute_info* out) {
  const dnnl_version_t& version = *dnnl_version();
  std::snprintf(out->library, sizeof out->library, "oneDNN");
  std::snprintf(out->version, sizeof out->version, "%d.%d.%d%s", version.major, version.minor, version.patch,
                khost::blas::build_of(reinterpret_cast<const void*>(&dnnl_primitive_execute)).c_str());
  std::snprintf(out->kernel, sizeof out->kernel, "%s", name_of(dnnl_get_effective_cpu_isa()));
  out->threads = static_cast<Multiplier*>(context)->threads();
}

// No exception crosses the table: one here is want of memory, and the host's kernel needs none.
int gemm(void* context, const khost_gemm* g) {
  try {
    return static_cast<Multiplier*>(context)->multiply(*g, nullptr) ? 0 : KHOST_DECLINED;
  } catch (...) {
    return KHOST_DECLINED;
  }
}

int pack(void* context, const khost_gemm* g, void** packed) {
  try {
    *packed = static_cast<Multiplier*>(context)->pack(*g).release();
  } catch (...) {
    *packed = nullptr;
  }
  return *packed ? 0 : KHOST_DECLINED;
}

int gemm_packed(void* context, const khost_gemm* g, const void* packed) {
  try {
    return static_cast<Multiplier*>(context)->multiply(*g, static_cast<const Packed*>(packed)) ? 0 : KHOST_DECLINED;
  } catch (...) {
    return KHOST_DECLINED;
  }
}

void release(void* packed) { delete static_cast<Packed*>(packed); }

constexpr khost_compute table = {sizeof(khost_compute), KHOST_COMPUTE_API, score,  create, destroy, info, gemm, pack,
                                 gemm_packed,           release,           nullptr};

}  // namespace

KHOST_COMPUTE_PLUGIN(khost::compute("onednn", "oneDNN with OpenMP threads: matrix products over weights laid out once", 1,
                                    &table))
