// oneDNN: frozen weights are laid out once, and every shape of a step gets a primitive of its own that is kept.

#include <cstdio>
#include <new>

#include "../blas.hpp"
#include "../build_id.hpp"
#include "../options.hpp"
#include "khost/plugin.hpp"
#include "onednn.hpp"

namespace {

using khost::onednn::Multiplier;
using khost::onednn::Packed;
using khost::onednn::Precision;

int score() { return 110; }  // above OpenBLAS: a step takes four fifths of its time (docs/plugins/compute.md)

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

// oneDNN would compute bf16 on any CPU with AVX-512, in many instructions each: slower than f32.
bool has_bf16() {
  const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
  return isa == dnnl_cpu_isa_avx512_core_bf16 || isa == dnnl_cpu_isa_avx512_core_amx;
}

int create(const char* options, int32_t threads, void** context, char* message, size_t size) try {
  const std::string precision = khost::blas::string_of(options ? options : "", "precision");
  if (precision != "" && precision != "f32" && precision != "bf16") {
    std::snprintf(message, size, "its precision is \"%s\"; it can be \"f32\" or \"bf16\"", precision.c_str());
    return 1;
  }
  if (precision == "bf16" && !has_bf16()) {
    std::snprintf(
        message, size,
        "its precision is \"bf16\", but this CPU multiplies no bf16 (oneDNN finds %s; bf16 is avx512_core_bf16 and above)\n"
        "leave \"precision\" out: f32 is faster here",
        name_of(dnnl_get_effective_cpu_isa()));
    return 1;
  }
  khost::blas::follow_threads(threads);
  auto* made = new (std::nothrow) Multiplier(threads, precision == "bf16" ? Precision::bf16 : Precision::f32);
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

void info(void* context, khost_compute_info* out) {
  const dnnl_version_t& version = *dnnl_version();
  std::snprintf(out->library, sizeof out->library, "oneDNN");
  std::snprintf(out->version, sizeof out->version, "%d.%d.%d%s", version.major, version.minor, version.patch,
                khost::blas::build_of(reinterpret_cast<const void*>(&dnnl_primitive_execute)).c_str());
  const auto& multiplier = *static_cast<Multiplier*>(context);
  const bool bf16 = multiplier.precision() == Precision::bf16;
  std::snprintf(out->kernel, sizeof out->kernel, "%s%s", name_of(dnnl_get_effective_cpu_isa()),
                bf16 ? ", frozen weights in bf16" : "");
  out->threads = multiplier.threads();
  out->packed_bits = bf16 ? 8 : 24;
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

constexpr khost_compute_option keys[] = {{"precision",
                                          "\"bf16\": frozen weights whose sizes are multiples of 16, and what is multiplied with "
                                          "them, are rounded to bf16 and summed in "
                                          "f32; \"f32\" without it",
                                          KHOST_OPTION_STRING, 0},
                                         {nullptr, nullptr, 0, 0}};

constexpr khost_compute table = {sizeof(khost_compute), KHOST_COMPUTE_API, score, create, destroy, info, gemm, pack,
                                 gemm_packed,           release,           keys};

}  // namespace

KHOST_COMPUTE_PLUGIN(khost::compute("onednn", "oneDNN with OpenMP threads: matrix products over weights laid out once", 1,
                                    &table))
