/* An OpenBLAS that was built for programs of one thread: two calls at a time spoil each other's product. */
#include <sched.h>

#include "sgemm.h"

int openblas_get_parallel(void) { return 0; }

void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda, const float* b, int ldb,
                 float beta, float* c, int ldc) {
  static int inside;
  (void)order;
  int others = __atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST);
  sched_yield();
  others |= __atomic_load_n(&inside, __ATOMIC_SEQ_CST) - 1;
  plain_sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  if (others && m > 0 && n > 0) c[0] += 1;
  __atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
}
