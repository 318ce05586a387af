/* A plain cblas_sgemm with sizes of type `size`, for libraries that are special in another way. Row-major. */
static void plain_sgemm(int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float* a, long lda,
                        const float* b, long ldb, float beta, float* c, long ldc) {
  for (long i = 0; i < m; ++i)
    for (long j = 0; j < n; ++j) {
      double sum = 0;
      for (long p = 0; p < k; ++p)
        sum += (double)a[transpose_a == 112 ? p * lda + i : i * lda + p] * (double)b[transpose_b == 112 ? j * ldb + p : p * ldb + j];
      c[i * ldc + j] = (float)(alpha * sum + (beta == 0 ? 0 : beta * (double)c[i * ldc + j]));
    }
}
