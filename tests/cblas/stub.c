/* A CBLAS that has another library compute, as Debian's libblas.so.3 of ATLAS and OpenBLAS does. */
void khost_behind_sgemm(int ta, int tb, long m, long n, long k, float alpha, const float* a, long lda, const float* b, long ldb,
                        float beta, float* c, long ldc);

void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda, const float* b, int ldb,
                 float beta, float* c, int ldc) {
  (void)order;
  khost_behind_sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
