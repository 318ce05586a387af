/* A compute backend is a table of C functions and links nothing of khost: khost/compute.hpp tells what each of them has to do. */
#include "khost/entry.h"

/* How good on this CPU: an optimised BLAS gives about 100, and the highest is taken where a run names none. */
static int score(void) { return 1; }

static int create(const char* options, int32_t threads, void** context, char* message, size_t size) {
  (void)options, (void)threads, (void)message, (void)size;
  *context = 0; /* it needs none */
  return 0;
}

static void destroy(void* context) { (void)context; }

/* What each run writes down of the backend that it was computed with. */
static void info(void* context, khost_compute_info* out) {
  (void)context;
  *out = (khost_compute_info){.library = "my_compute", .version = "1", .kernel = "plain loops", .threads = 1};
}

static float at(const float* matrix, int64_t ld, int32_t transposed, int64_t row, int64_t column) {
  return transposed ? matrix[column * ld + row] : matrix[row * ld + column];
}

/* C = alpha op(A) op(B) + beta C. A shape that it does not do, it declines: KHOST_DECLINED. */
static int gemm(void* context, const khost_gemm* g) {
  (void)context;
  for (int64_t i = 0; i < g->m; ++i)
    for (int64_t j = 0; j < g->n; ++j) {
      float* c = g->c + i * g->ldc + j;
      double sum = 0; /* in double: the result is right to the last bits */
      for (int64_t p = 0; p < g->k; ++p)
        sum += (double)at(g->a, g->lda, g->transpose_a, i, p) * (double)at(g->b, g->ldb, g->transpose_b, p, j);
      const double before = g->beta == 0 ? 0 : (double)g->beta * (double)*c; /* with beta 0, C is not read */
      *c = (float)((double)g->alpha * sum + before);
    }
  return 0;
}

static const khost_compute table = {.struct_size = sizeof(khost_compute),
                                    .api_version = KHOST_COMPUTE_API,
                                    .score = score,
                                    .create = create,
                                    .destroy = destroy,
                                    .info = info,
                                    .gemm = gemm};
KHOST_C_PLUGIN("my_compute", "plain loops in C", 1, &table);
