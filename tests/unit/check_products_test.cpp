#include "compute/check_products.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <deque>
#include <functional>
#include <string>
#include <thread>

#include "compute/backend.hpp"
#include "message.hpp"
#include "plugins.hpp"

using namespace khost;

namespace {

// A table of plain loops with one thing wrong.
enum class Fault {
  none,
  ignores_beta,
  reads_c,
  no_transpose_a,
  no_transpose_b,
  dense_rows,
  writes_between,
  rounds,
  small_only,
  only_one_thread,
  packs_wrong,
  packs_rounded,
  says_it_rounds,  // and does
  declines_late,
  declines_all,
};
Fault fault = Fault::none;
std::atomic<int> products = 0, inside = 0;

struct Context {
  int threads;
};

int create(const char*, std::int32_t threads, void** context, char*, size_t) {
  *context = new Context{threads};
  return 0;
}
void destroy(void* context) { delete static_cast<Context*>(context); }
void info(void*, khost_compute_info* out) {
  *out = {};
  if (fault == Fault::says_it_rounds) out->packed_bits = 8;
}
// To 8 significant bits, as bf16 has.
float rounded(float x) {
  int exponent = 0;
  const float m = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(m, 8)), exponent - 8);
}
int score() { return 1; }

int multiply(void* context, const khost_gemm* g, bool packed) {
  ++products;
  if (fault == Fault::declines_all) return KHOST_DECLINED;
  const bool ta = g->transpose_a && fault != Fault::no_transpose_a, tb = g->transpose_b && fault != Fault::no_transpose_b;
  const std::int64_t lda = fault == Fault::dense_rows ? (g->transpose_a ? g->m : g->k) : g->lda;
  for (std::int64_t i = 0; i < g->m; ++i)
    for (std::int64_t j = 0; j < g->n; ++j) {
      float sum = 0;
      for (std::int64_t p = 0; p < g->k; ++p) {
        float a = g->a[ta ? p * lda + i : i * lda + p];
        if (fault == Fault::rounds) a = rounded(a);
        if ((fault == Fault::packs_rounded || fault == Fault::says_it_rounds) && packed) a = rounded(a);
        const std::int64_t rows_of_b = g->transpose_b ? g->n : g->k, at = tb ? j * g->ldb + p : p * g->ldb + j;
        sum += a * (at < rows_of_b * g->ldb ? g->b[at] : 0);
      }
      float& c = g->c[i * g->ldc + j];
      float before = g->beta != 0 || fault == Fault::reads_c ? g->beta * c : 0;
      if (fault == Fault::ignores_beta) before = 0;
      c = g->alpha * sum + before;
    }
  if (fault == Fault::writes_between) g->c[g->n] = 0;
  if (fault == Fault::small_only && g->m * g->n * g->k > 262144) g->c[0] += 1;
  if (fault == Fault::only_one_thread && static_cast<Context*>(context)->threads > 1) g->c[0] += 1;
  if (fault == Fault::packs_wrong && packed) g->c[0] += 1;
  return fault == Fault::declines_late ? KHOST_DECLINED : 0;
}

int gemm(void* context, const khost_gemm* g) { return multiply(context, g, false); }
int pack(void*, const khost_gemm* g, void** packed) {
  *packed = new khost_gemm(*g);
  return 0;
}
int gemm_packed(void* context, const khost_gemm* g, const void* packed) {
  khost_gemm whole = *g;
  const khost_gemm& own = *static_cast<const khost_gemm*>(packed);
  whole.b = own.b, whole.ldb = own.ldb, whole.transpose_b = own.transpose_b;
  return multiply(context, &whole, true);
}
void release(void* packed) { delete static_cast<khost_gemm*>(packed); }

// Each case has a table of its own: a table that passed is not looked at again.
std::string verdict(Fault of, int threads = 2) {
  static std::deque<khost_compute> tables;  // all kept: an address says that its table was looked at
  fault = of;
  const khost_compute& table = tables.emplace_back(khost_compute{sizeof(khost_compute), KHOST_COMPUTE_API, score, create, destroy,
                                                                 info, gemm, pack, gemm_packed, release, nullptr});
  return message_of([&] { Backend("mine", &table, "{}", threads); });
}

bool says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  MESSAGE("expected '" << part << "' in: " << text);
  return false;
}

}  // namespace

TEST_CASE("a table that multiplies right is used, and looked at once") {
  CHECK(verdict(Fault::none) == "");
  CHECK(verdict(Fault::declines_all) == "");  // the host's own kernel does it then
  CHECK(verdict(Fault::says_it_rounds) == "");
  fault = Fault::none;
  static const khost_compute table{sizeof(khost_compute), KHOST_COMPUTE_API, score,  create, destroy, info, gemm, pack,
                                   gemm_packed,           release,           nullptr};
  products = 0;
  Backend("mine", &table, "{}", 1);
  const int first = products;
  CHECK(first > 45);
  Backend("mine", &table, "{}", 1);
  CHECK(products == first);
  Backend("mine", &table, R"({"library":"another"})", 1);  // what is behind it may be another
  CHECK(products == 2 * first);
  Backend("mine", &table, "{}", 2);  // more than one thread is another way through it
  CHECK(products == 3 * first);
  std::thread other([&] { Backend("mine", &table, "{}", 2); });
  other.join();
  CHECK(products == 3 * first);
}

TEST_CASE("each kind of wrong product is refused, with the product, what was found and what was expected") {
  const std::string beta = verdict(Fault::ignores_beta);
  CHECK(says(
      beta,
      "compute plugin 'mine' cannot be used: with 1 thread it gives a wrong product: C = A B + C of [17, 19] with 23 terms"));
  CHECK(says(beta, "row 0, column 0 is "));
  CHECK(says(beta, "; it ignores beta"));
  CHECK(says(verdict(Fault::reads_c), "C held NaN, and is to be written unread with beta = 0"));
  CHECK(says(verdict(Fault::no_transpose_a), "C = A' B of"));
  CHECK(says(verdict(Fault::no_transpose_b), "C = A B' of"));
  CHECK(says(verdict(Fault::dense_rows), "rows of A, B and C 26, 24 and 21 apart"));
  CHECK(says(verdict(Fault::writes_between), "it writes between the rows of C"));
  CHECK(says(verdict(Fault::rounds), "gives a wrong product"));
  CHECK(says(verdict(Fault::small_only), "of [72, 96] with 88 terms"));
  CHECK(says(verdict(Fault::only_one_thread), "with 2 threads it gives a wrong product"));
  CHECK(says(verdict(Fault::packs_wrong), ", B packed: row 0, column 0"));
  CHECK(says(verdict(Fault::packs_rounded), ", B packed: row 0, column 0"));
  CHECK(says(verdict(Fault::declines_late), "declines a product, but writes into C"));
  fault = Fault::none;
}

TEST_CASE("khost's own backends, and the one in C, multiply right on this machine") {
  for (const char* name : {"openblas", "onednn", "blis", "cblas", "reference", "naive"}) {
    CAPTURE(name);
    for (const int threads : {1, 2})
      CHECK(message_of([&] { Backend(name, test::compute_table(name), test::compute_options(name), threads); }) == "");
  }
}
