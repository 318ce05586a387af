/* What computes behind stub.c. */
#include "sgemm.h"

const char* khost_behind_version(void) { return VERSION; }

void khost_behind_sgemm(int ta, int tb, long m, long n, long k, float alpha, const float* a, long lda, const float* b, long ldb,
                        float beta, float* c, long ldc) {
  plain_sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
