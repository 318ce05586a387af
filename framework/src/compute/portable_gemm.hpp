// Matrix products on every CPU that Highway knows: what a backend declines, and the small products inside attention.
#pragma once

#include "khost/compute.hpp"

namespace khost::kernels {

// C = alpha op(A) op(B) + beta C, split over the thread's workers. The order of every sum depends on k alone.
void portable_gemm(const khost_gemm& g);
// The same on the calling thread.
void portable_gemm_serial(const khost_gemm& g);

}  // namespace khost::kernels
