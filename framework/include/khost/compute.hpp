/* A compute backend: a plain C table, so that any toolchain can bring a BLAS. All arrays are f32, row-major.
 *
 * Calls on one context come from one thread at a time, not always the same; two contexts may be used from two threads at once.
 * Arguments are valid until the function returns, but for what pack() reads. Functions that return int give 0 for done and
 * KHOST_DECLINED for "not this one": the host's portable kernel then does it. A null function pointer declines every call.
 * Nothing here throws. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KHOST_COMPUTE_API 1u
#define KHOST_DECLINED 1

typedef struct khost_compute_info {
  char library[64]; /* "OpenBLAS" */
  char version[64]; /* "0.3.21" */
  char kernel[64];  /* which of its kernels runs on this CPU: "SkylakeX" */
  int32_t threads;  /* that it will use */
  /* Significant bits that gemm_packed() keeps of what it multiplies: 24, f32's; 8: bf16. 0 is taken for 24. Sums are f32. */
  int32_t packed_bits;
} khost_compute_info;

typedef struct khost_gemm {
  int32_t transpose_a, transpose_b; /* 0 or 1 */
  int64_t m, n, k;                  /* op(A) is m x k, op(B) is k x n, C is m x n */
  float alpha;
  const float* a;
  int64_t lda; /* elements from one row of A, as stored, to the next */
  const float* b;
  int64_t ldb;
  float beta; /* 0: C is written without being read */
  float* c;
  int64_t ldc;
} khost_gemm;

/* A key that the manifest's "compute" takes beside "plugin". */
enum { KHOST_OPTION_STRING = 0, KHOST_OPTION_INTEGER = 1, KHOST_OPTION_BOOLEAN = 2, KHOST_OPTION_PATH = 3 };
typedef struct khost_compute_option {
  const char* name;
  const char* doc;
  int32_t type;     /* KHOST_OPTION_PATH: a string; the host makes it absolute, seen from the manifest */
  int32_t required; /* a backend that requires one is used only where it is named. An optional one that is left out is null */
} khost_compute_option;

typedef struct khost_compute {
  uint32_t struct_size; /* sizeof(khost_compute) */
  uint32_t api_version; /* KHOST_COMPUTE_API */

  /* How good on this CPU; higher wins, 0 or less: unusable here. The oracle `reference` gives 1, an optimised BLAS about 100.
   * From any thread, as often as anybody asks. */
  int (*score)(void);

  /* options: a JSON object with the manifest's further keys, which the host has checked against `options` below; "{}" when the
   * backend is named on the command line alone. On failure returns non-zero and writes a message of at most `size` bytes with
   * its final 0. From several threads at once. */
  int (*create)(const char* options, int32_t threads, void** context, char* message, size_t size);
  void (*destroy)(void* context);
  void (*info)(void* context, khost_compute_info* out);

  /* C = alpha op(A) op(B) + beta C */
  int (*gemm)(void* context, const khost_gemm* g);

  /* Optional: B of a GEMM that never changes (a frozen weight), laid out once for this backend.
   * pack: from g's b, ldb, transpose_b, n, k. gemm_packed: g->b is ignored. Safe to use from several contexts of this
   * backend at once; the source array must outlive the packed one. */
  int (*pack)(void* context, const khost_gemm* g, void** packed);
  int (*gemm_packed)(void* context, const khost_gemm* g, const void* packed);
  void (*release)(void* packed);

  /* Optional: the keys that create takes, ended by one whose name is null. */
  const khost_compute_option* options;
} khost_compute;

#ifdef __cplusplus
}
#endif
