// What every vectorised kernel needs: partial loads and stores, and the running of a row in whole vectors plus a tail. Compiled
// once per instruction set, inside Highway's foreach_target.
#if defined(KHOST_COMPUTE_SIMD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KHOST_COMPUTE_SIMD_INL_HPP
#undef KHOST_COMPUTE_SIMD_INL_HPP
#else
#define KHOST_COMPUTE_SIMD_INL_HPP
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace khost::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using F64 = hn::ScalableTag<double>;
using VF = hn::Vec<F32>;

// The first n < Lanes(d) elements at p; the other lanes are 0. Reads nothing beyond them.
HWY_INLINE VF load_part(F32 d, const float* p, std::size_t n) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2  // masked loads do not fault there
  return hn::MaskedLoad(hn::FirstN(d, n), d, p);
#else
  HWY_ALIGN float part[HWY_MAX_BYTES / sizeof(float)] = {};
  for (std::size_t i = 0; i < n; ++i) part[i] = p[i];
  return hn::Load(d, part);
#endif
}

HWY_INLINE void store_part(F32 d, VF v, float* p, std::size_t n) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, n), d, p);
#else
  HWY_ALIGN float part[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, part);
  for (std::size_t i = 0; i < n; ++i) p[i] = part[i];
#endif
}

HWY_INLINE float sum(F32 d, VF v) { return hn::GetLane(hn::SumOfLanes(d, v)); }

}  // namespace khost::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
