// A compute table that multiplies, but forgets what stood in C: gradients that should be added up replace each other.
#include "khost/plugin.hpp"

namespace {

int score() { return 1; }
int create(const char*, std::int32_t, void** context, char*, size_t) {
  *context = nullptr;
  return 0;
}
void destroy(void*) {}
void info(void*, khost_compute_info* out) { *out = {}; }

int gemm(void*, const khost_gemm* g) {
  for (std::int64_t i = 0; i < g->m; ++i)
    for (std::int64_t j = 0; j < g->n; ++j) {
      float sum = 0;
      for (std::int64_t p = 0; p < g->k; ++p)
        sum += g->a[g->transpose_a ? p * g->lda + i : i * g->lda + p] * g->b[g->transpose_b ? j * g->ldb + p : p * g->ldb + j];
      g->c[i * g->ldc + j] = g->alpha * sum;
    }
  return 0;
}

constexpr khost_compute table{
    sizeof(khost_compute), KHOST_COMPUTE_API, score, create, destroy, info, gemm, nullptr, nullptr, nullptr, nullptr};

}  // namespace

KHOST_COMPUTE_PLUGIN(khost::compute("ignores_beta", "forgets what stood in C", 1, &table))
