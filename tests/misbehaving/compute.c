/* A backend with one fault, chosen when it is built; without one it is fit. For `khost check`. */
#include "khost/entry.h"

static int score(void) { return 1; }
static int create(const char* options, int32_t threads, void** context, char* message, size_t size) {
  (void)options, (void)threads, (void)message, (void)size;
  *context = 0;
  return 0;
}
static void destroy(void* context) { (void)context; }
static void info(void* context, khost_compute_info* out) {
  (void)context;
  *out = (khost_compute_info){.library = "misbehaving", .version = "1", .kernel = "plain loops", .threads = 1};
}
static int gemm(void* context, const khost_gemm* g) {
  (void)context;
  for (int64_t i = 0; i < g->m; ++i)
    for (int64_t j = 0; j < g->n; ++j) {
      double sum = 0;
      int64_t k = g->k;
#if FAULT_ODD
      if (k % 2 && k > 100) --k; /* a loop that is unrolled by two, and forgets the last */
#endif
      for (int64_t p = 0; p < k; ++p)
        sum += (double)g->a[g->transpose_a ? p * g->lda + i : i * g->lda + p] *
               (double)g->b[g->transpose_b ? j * g->ldb + p : p * g->ldb + j];
      float* c = &g->c[i * g->ldc + j];
#if FAULT_BETA
      *c = (float)((double)g->alpha * sum + (double)g->beta * (double)*c); /* 0 times NaN */
#else
      *c = (float)((double)g->alpha * sum + (g->beta == 0 ? 0 : (double)g->beta * (double)*c));
#endif
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
KHOST_C_PLUGIN(FAULT_NAME, "a backend with a fault", 1, &table);
