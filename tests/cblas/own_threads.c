/* A CBLAS that starts threads of its own and says nothing of them. */
#include <pthread.h>

#include "sgemm.h"

static void* nothing(void* data) { return data; }

void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda, const float* b, int ldb,
                 float beta, float* c, int ldc) {
  pthread_t thread;
  (void)order;
  if (pthread_create(&thread, 0, nothing, 0) == 0) pthread_join(thread, 0);
  plain_sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
