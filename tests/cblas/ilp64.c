/* A CBLAS with 64-bit sizes (ILP64), under the plain name. */
#include "sgemm.h"

void cblas_sgemm(long order, long ta, long tb, long m, long n, long k, float alpha, const float* a, long lda, const float* b,
                 long ldb, float beta, float* c, long ldc) {
  (void)order;
  plain_sgemm((int)ta, (int)tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
