#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <numeric>

#include "compute/backend.hpp"
#include "compute/kernels.hpp"
#include "graph/memory_plan.hpp"
#include "khost/error.hpp"
#include "khost/random.hpp"
#include "khost/tensor.hpp"
#include "plugins.hpp"

using namespace khost;
using namespace khost::test;

namespace {

std::vector<float> normals(std::int64_t n, std::uint64_t seed, double sd = 1) {
  std::vector<float> x(static_cast<std::size_t>(n));
  Random(seed, "test", "normals").normal(x, sd);
  return x;
}

Backend make(const char* name, int threads) { return {name, compute_table(name), compute_options(name), threads}; }

constexpr const char* tested_backends[] = {"openblas", "onednn", "blis", "cblas", "portable", "naive"};

std::deque<Backend> all_tested(int threads) {
  std::deque<Backend> all;  // a backend does not move
  for (const char* name : tested_backends) all.emplace_back(name, compute_table(name), compute_options(name), threads);
  return all;
}

// One product on each backend and on the oracle. A sum of k products of standard normals, each rounded to 6e-8 relative, errs by
// about sqrt(k) 6e-8 x sqrt(k) at most in the worst plausible order; 4e-7 (k + 4) leaves an order of magnitude below any wrong
// term.
void compare_gemm(std::deque<Backend>& tested, Backend& oracle, bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k,
                  float alpha, float beta, std::int64_t pad, bool packed = false) {
  const std::int64_t lda = (ta ? m : k) + pad, ldb = (tb ? k : n) + pad, ldc = n + pad;
  const auto a = normals((ta ? k : m) * lda, 1), b = normals((tb ? n : k) * ldb, 2);
  auto before = normals(m * ldc, 3);
  if (beta == 0)
    for (std::int64_t i = 0; i < m; ++i) std::fill_n(before.begin() + i * ldc, n, std::numeric_limits<float>::quiet_NaN());
  auto expected = before;
  khost_gemm g{ta, tb, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, expected.data(), ldc};
  oracle.gemm(g);
  for (Backend& backend : tested) {
    auto c = before;
    g.c = c.data();
    if (packed) {
      khost_gemm without_b = g;
      without_b.b = nullptr;
      backend.gemm(without_b, *backend.pack(g));
    } else {
      backend.gemm(g);
    }
    double worst = 0;
    bool rest_untouched = true;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < ldc; ++j) {
        const double difference = std::abs(static_cast<double>(c[i * ldc + j]) - static_cast<double>(expected[i * ldc + j]));
        if (j >= n)
          rest_untouched &= difference == 0;
        else
          worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
      }
    INFO(backend.info().name, " m ", m, " n ", n, " k ", k, " transposes ", ta, tb, " alpha ", alpha, " beta ", beta, " pad ",
         pad, " packed ", packed);
    CHECK(worst <= 4e-7 * static_cast<double>(k + 4));
    CHECK(rest_untouched);
  }
}

}  // namespace

TEST_CASE("compute: every backend agrees with the reference on a grid of shapes") {
  Backend oracle("reference", compute_table("reference"), "{}", 2);
  std::deque<Backend> tested = all_tested(2);
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 1, 1},
                                {1, 7, 5},
                                {7, 1, 5},
                                {3, 5, 1},
                                {13, 33, 17},
                                {127, 64, 256},
                                {64, 127, 127},
                                {2, 500, 3},
                                {500, 2, 3},
                                {129, 131, 300},
                                {97, 257, 259}})
    for (int transposes = 0; transposes < 4; ++transposes)
      for (const std::int64_t pad : {0, 5})
        for (const auto& [alpha, beta] : {std::pair{1.0f, 0.0f}, std::pair{1.0f, 1.0f}, std::pair{-0.5f, 2.0f}})
          compare_gemm(tested, oracle, transposes & 1, transposes & 2, m, n, k, alpha, beta, pad);
  // As wide, tall and deep as the papers' vocabulary.
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{3, 15007, 33}, {15007, 5, 16}, {7, 9, 15007}})
    for (int transposes = 0; transposes < 4; ++transposes)
      compare_gemm(tested, oracle, transposes & 1, transposes & 2, m, n, k, 1, transposes == 1 ? 1.0f : 0.0f, transposes);
}

TEST_CASE("compute: packed weights against the reference, for every number of rows, wide and odd") {
  Backend oracle("reference", compute_table("reference"), "{}", 2);
  std::deque<Backend> tested = all_tested(2);
  for (const auto& [n, k] : {std::array<std::int64_t, 2>{256, 256},
                             {768, 256},
                             {15008, 32},
                             {32, 15008},
                             {15007, 24},
                             {24, 15007},
                             {31, 17},
                             {1, 9},
                             {9, 1}})
    for (const std::int64_t m : {1, 7, 128, 131})
      for (int transposes = 0; transposes < 4; ++transposes)
        compare_gemm(tested, oracle, transposes & 1, transposes & 2, m, n, k, transposes == 3 ? -0.5f : 1.0f,
                     transposes == 2 ? 1.0f : 0.0f, m == 7 ? 3 : 0, true);
}

TEST_CASE("compute: one packed matrix serves two contexts, and outlives the one it was made with") {
  const auto a = normals(5 * 64, 1), b = normals(96 * 64, 2);
  std::vector<float> first(5 * 96), second(5 * 96);
  khost_gemm g{0, 1, 5, 96, 64, 1.0f, a.data(), 64, b.data(), 64, 0.0f, first.data(), 96};
  for (const char* name : tested_backends) {
    std::shared_ptr<const Backend::Packed> packed;
    {
      Backend one = make(name, 1);
      packed = one.pack(g);
      g.c = first.data();
      one.gemm(g, *packed);
    }
    Backend other = make(name, 1);
    g.c = second.data();
    other.gemm(g, *packed);
    CHECK(first == second);
  }
}

TEST_CASE("compute: cblas says what it needs and what it was given instead") {
  const auto refused = [](const std::string& options) -> std::string {
    try {
      Backend("cblas", compute_table("cblas"), options, 1);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  const auto says = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const std::string none = refused("{}");
  CHECK_MESSAGE(says(none, R"("compute": {"plugin": "cblas", "library": "/path/to/libcblas.so.3"})"), none);
  CHECK(says(none, "--set"));
  CHECK(says(refused(R"({"library":"/nowhere/lib\"x\\y.so"})"), R"(there is no file /nowhere/lib"x\y.so)"));
  CHECK(says(refused("{\"library\":\"/nowhere/\\u00e9\\ud83d\\ude00.so\"}"), "/nowhere/é😀.so"));
  CHECK(says(refused(R"({"library":"/usr"})"), "/usr is a folder"));
  CHECK(says(refused(R"({"library":")" KHOST_SOURCE_DIR R"(/bootstrap"})"), "cannot be loaded: "));
  CHECK(says(refused(R"({"library":")" KHOST_BINARY_DIR R"(/plugins/reference.so"})"), "has no function cblas_sgemm"));
}

TEST_CASE("compute: an inner size of 0 scales C, and leaves nothing of it at beta 0") {
  for (const char* name : {"openblas", "onednn", "blis", "cblas", "reference", "portable", "naive"}) {
    Backend backend = make(name, 1);
    float c[2] = {NAN, 3}, d[2] = {1, 3};
    const float none = 0;
    backend.gemm({0, 0, 1, 2, 0, 1.0f, &none, 1, &none, 2, 0.0f, c, 2});
    backend.gemm({0, 0, 1, 2, 0, 1.0f, &none, 1, &none, 2, 2.0f, d, 2});
    CHECK(c[0] == 0);
    CHECK(c[1] == 0);
    CHECK(d[0] == 2);
    CHECK(d[1] == 6);
  }
}

TEST_CASE("compute: a packed matrix gives the same product as a plain one") {
  for (const char* name : {"openblas", "portable"}) {
    Backend backend(name, compute_table(name), "{}", 2);
    const auto a = normals(30, 1), b = normals(42, 2);
    std::vector<float> plain(35), packed(35);
    khost_gemm g{0, 1, 5, 7, 6, 1.0f, a.data(), 6, b.data(), 6, 0.0f, plain.data(), 7};
    backend.gemm(g);
    const auto p = backend.pack(g);
    g.b = nullptr;
    g.c = packed.data();
    backend.gemm(g, *p);
    CHECK(plain == packed);
  }
}

TEST_CASE("compute: what the backends say of themselves") {
  Backend openblas("openblas", compute_table("openblas"), "{}", 2), reference("reference", compute_table("reference"), "{}", 1);
  CHECK(openblas.info().library == "OpenBLAS");
  CHECK(openblas.info().version.find("0.3.") == 0);
  CHECK_FALSE(openblas.info().kernel.empty());
  CHECK(openblas.info().threads == 2);
  CHECK(reference.info().threads == 1);
  CHECK(make("onednn", 1).info().library == "oneDNN");
  CHECK(make("onednn", 1).info().version.find("2.") == 0);
  CHECK(make("blis", 1).info().library == "BLIS");
  CHECK(make("blis", 1).info().version.find("0.") == 0);
  CHECK(make("cblas", 1).info().library.find("libblas.so.3") == 0);
  CHECK(make("cblas", 1).info().version.find("files ") == 0);
  for (const char* name : {"onednn", "blis", "cblas"}) CHECK_FALSE(make(name, 1).info().kernel.empty());
  CHECK(compute_table("onednn")->score() > compute_table("openblas")->score());  // the default: docs/plugins/compute.md
  CHECK(compute_table("openblas")->score() > compute_table("blis")->score());
  CHECK(compute_table("blis")->score() > compute_table("reference")->score());
  CHECK(compute_table("reference")->score() == 1);
  CHECK_THROWS_WITH_AS(
      Backend("openblas", compute_table("openblas"), R"({"kernel": 1})", 1),
      doctest::Contains("compute plugin 'openblas' cannot be used: it takes no options, but was given {\"kernel\": 1}"), Error);
  khost_compute old = *compute_table("reference");
  old.api_version = 7;
  CHECK_THROWS_WITH_AS(Backend("old", &old, "{}", 1), doctest::Contains("version 7 of the compute table"), Error);
}

TEST_CASE("compute: the normal distribution function against std::erfc in double, over the whole range") {
  // Relative error where it matters: also in the left tail, where 1 + erf would lose everything. 8 units in the last place of f32
  // (2^-24 each, relative): two from the exponential, the others from the polynomial, its division and three products.
  std::vector<float> x, y;
  for (double v = -12.9; v < 13; v += 1.7e-4) x.push_back(static_cast<float>(v));
  for (const float v : {0.0f, -0.0f, FLT_MIN, -FLT_MIN, 1e-20f, -1e-20f, 30.0f, -30.0f, 1e30f, -1e30f}) x.push_back(v);
  y.resize(x.size());
  kernels::normal_cdf(static_cast<std::int64_t>(x.size()), x.data(), y.data());
  double worst = 0, worst_erf = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i], exact = 0.5 * std::erfc(-v / std::sqrt(2.0));
    worst = std::max(worst, std::abs(static_cast<double>(y[i]) - exact) / std::max(exact, static_cast<double>(FLT_MIN)));
    worst_erf = std::max(worst_erf, std::abs(2 * static_cast<double>(y[i]) - 1 - std::erf(v / std::sqrt(2.0))));
  }
  MESSAGE("worst relative error ", worst * std::pow(2.0, 24), " x 2^-24; of erf, absolute, ", worst_erf * std::pow(2.0, 24),
          " x 2^-24");
  CHECK(worst < 8 * std::pow(2.0, -24));
  CHECK(worst_erf < 8 * std::pow(2.0, -24));
  float nan = NAN, out = 0;
  kernels::normal_cdf(1, &nan, &out);
  CHECK(std::isnan(out));
}

TEST_CASE("compute: gelu and its slope against double") {
  std::vector<float> x;
  for (double v = -9; v < 9; v += 1e-3) x.push_back(static_cast<float>(v));
  std::vector<float> y(x.size()), z(x.size()), slope(x.size());
  const auto n = static_cast<std::int64_t>(x.size());
  kernels::gelu(n, x.data(), y.data());
  kernels::gelu_with_slope(n, x.data(), z.data(), slope.data());
  CHECK(y == z);
  double worst = 0, worst_slope = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i], cdf = 0.5 * std::erfc(-v / std::sqrt(2.0)), density = std::exp(-v * v / 2) / std::sqrt(2 * M_PI);
    worst = std::max(worst, std::abs(static_cast<double>(y[i]) - v * cdf) / std::max(1e-30, std::abs(v * cdf)));
    worst_slope = std::max(worst_slope, std::abs(static_cast<double>(slope[i]) - (cdf + v * density)));
  }
  CHECK(worst < 9 * std::pow(2.0, -24));
  CHECK(worst_slope < 6 * std::pow(2.0, -24));
}

TEST_CASE("compute: softmax and cross-entropy of long and short rows, with large scores") {
  for (const std::int64_t n : {1, 5, 16, 33, 4099, 15007}) {
    auto logits = normals(2 * n, 4, 30);
    const auto before = logits;
    const std::int32_t targets[2] = {static_cast<std::int32_t>(n - 1), 0};
    double loss[2];
    double alone[2];
    kernels::cross_entropy(2, n, logits.data(), n, targets, alone);
    kernels::cross_entropy_gradient(2, n, logits.data(), n, targets, loss, 0.25f);
    CHECK(std::ranges::equal(alone, loss));
    for (int r = 0; r < 2; ++r) {
      double top = -INFINITY, total = 0, worst = 0;
      for (std::int64_t i = 0; i < n; ++i) top = std::max(top, static_cast<double>(before[r * n + i]));
      for (std::int64_t i = 0; i < n; ++i) total += std::exp(static_cast<double>(before[r * n + i]) - top);
      for (std::int64_t i = 0; i < n; ++i) {
        const double p = std::exp(static_cast<double>(before[r * n + i]) - top) / total - (i == targets[r] ? 1 : 0);
        worst = std::max(worst, std::abs(static_cast<double>(logits[r * n + i]) - 0.25 * p));
      }
      CHECK(loss[r] == doctest::Approx(std::log(total) + top - static_cast<double>(before[r * n + targets[r]])).epsilon(1e-6));
      CHECK(worst < 2e-7);
    }
  }
}

TEST_CASE("compute: a row without a target has no loss and no gradient, whatever its logits") {
  std::vector<float> logits{1, INFINITY, 2, NAN, 0, 1};
  const std::int32_t targets[2] = {-100, -100};
  double loss[2] = {7, 7};
  kernels::cross_entropy_gradient(2, 3, logits.data(), 3, targets, loss, 1.0f);
  CHECK(std::ranges::all_of(loss, [](double v) { return v == 0; }));
  CHECK(std::ranges::all_of(logits, [](float v) { return v == 0; }));
}

TEST_CASE("compute: column products sum in double, in row order, whatever the number of columns") {
  for (const std::int64_t cols : {1, 3, 8, 31, 32, 64, 100}) {
    const std::int64_t rows = 257, ld = cols + 3;
    const auto a = normals(rows * ld, 5), b = normals(rows * ld, 6);
    std::vector<double> out(static_cast<std::size_t>(cols), 1.0);
    kernels::column_products(rows, cols, a.data(), ld, b.data(), ld, out.data(), true);
    for (std::int64_t c = 0; c < cols; ++c) {
      double s = 1;
      for (std::int64_t r = 0; r < rows; ++r) s += static_cast<double>(a[r * ld + c]) * static_cast<double>(b[r * ld + c]);
      CHECK(out[static_cast<std::size_t>(c)] == s);
    }
  }
}

TEST_CASE("compute: gradients of biases and norms sum in double, in row order, on one thread and on two") {
  for (const int threads : {1, 2})
    for (const std::int64_t cols : {1, 33, 64, 100, 200, 1000})
      for (const bool accumulate : {false, true}) {
        const Backend sets_the_team("portable", nullptr, "{}", threads);
        const std::int64_t rows = 257;
        const auto x = normals(rows * cols, 7), dy = normals(rows * cols, 8), mean = normals(rows, 9), rstd = normals(rows, 10);
        std::vector<float> bias(static_cast<std::size_t>(cols), 2.0f), weight = bias, rms = bias;
        kernels::column_sums(rows, cols, dy.data(), bias.data(), accumulate);
        kernels::norm_weight_gradient(rows, cols, x.data(), mean.data(), rstd.data(), dy.data(), weight.data(), accumulate);
        kernels::norm_weight_gradient(rows, cols, x.data(), nullptr, rstd.data(), dy.data(), rms.data(), accumulate);
        bool same = true;
        for (std::int64_t c = 0; c < cols; ++c) {
          double of_bias = 0, of_weight = 0, of_rms = 0;
          for (std::int64_t r = 0; r < rows; ++r) {
            const double g = dy[r * cols + c];
            of_bias += g;
            of_weight += g * static_cast<double>((x[r * cols + c] - mean[r]) * rstd[r]);
            of_rms += g * static_cast<double>(x[r * cols + c] * rstd[r]);
          }
          const auto at = static_cast<std::size_t>(c);
          const float before = accumulate ? 2.0f : 0.0f;
          same &= bias[at] == static_cast<float>(of_bias + before) && weight[at] == static_cast<float>(of_weight + before) &&
                  rms[at] == static_cast<float>(of_rms + before);
        }
        CAPTURE(cols);
        CHECK(same);
      }
}

TEST_CASE("memory plan: every buffer lies where a comparison with all others puts it") {
  Random random(4, "test", "plan");
  const auto below = [&](int n) { return static_cast<int>(random.below(static_cast<std::uint64_t>(n))); };
  for (int round = 0; round < 300; ++round) {
    struct Placed {
      std::int64_t floats, offset;
      int first, last;
    };
    std::vector<Placed> all;
    MemoryPlan plan;
    const int count = below(60), times = 1 + below(80), longest = 1 + below(times), sizes = 1 + below(9);
    for (int i = 0; i < count; ++i) {
      const int first = below(times) - 5, last = first + below(longest);
      const std::int64_t floats = 16 * below(sizes);  // many are equal, some are empty
      all.push_back({floats, 0, first, last});
      plan.add(floats, first, last);
    }
    plan.place();
    std::vector<std::size_t> order(all.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return all[a].floats > all[b].floats; });
    std::int64_t floats = 0;
    std::vector<const Placed*> placed;
    for (const std::size_t i : order) {
      Placed& b = all[i];
      std::ranges::stable_sort(placed, {}, &Placed::offset);
      for (const Placed* other : placed) {
        if (other->last < b.first || b.last < other->first) continue;
        if (b.offset + b.floats <= other->offset) break;
        b.offset = std::max(b.offset, other->offset + other->floats);
      }
      placed.push_back(&b);
      floats = std::max(floats, b.offset + b.floats);
      REQUIRE(plan.offset(static_cast<int>(i)) == b.offset);
    }
    CHECK(plan.floats() == floats);
  }
}

TEST_CASE("memory plan: of a deep network's tensors") {
  // Two of each layer are kept from its forward to its backward pass, two live for a moment; all layers are alike.
  constexpr int layers = 20'000;
  MemoryPlan plan;
  for (int i = 0; i < layers; ++i) {
    plan.add(64, i, 2 * layers - i), plan.add(32, i, 2 * layers - i);
    plan.add(16, i, i), plan.add(16, 2 * layers - i, 2 * layers - i);
  }
  plan.place();
  CHECK(plan.floats() == plan.most_at_once());
  CHECK(plan.offset(4) == 64);
}

TEST_CASE("memory plan: buffers alive together never overlap, and memory is reused") {
  Random random(3, "test", "plan");
  MemoryPlan plan;
  struct Given {
    std::int64_t floats;
    int first, last;
  };
  std::vector<Given> given;
  std::int64_t sum = 0;
  for (int i = 0; i < 200; ++i) {
    const int first = static_cast<int>(random.below(100)), last = first + static_cast<int>(random.below(12));
    given.push_back({1 + static_cast<std::int64_t>(random.below(1000)), first, last});
    plan.add(given.back().floats, first, last);
    sum += given.back().floats;
  }
  plan.place();
  for (int i = 0; i < 200; ++i)
    for (int j = 0; j < i; ++j) {
      const auto &a = given[i], &b = given[j];
      if (a.last < b.first || b.last < a.first) continue;
      const bool apart = plan.offset(i) + a.floats <= plan.offset(j) || plan.offset(j) + b.floats <= plan.offset(i);
      CHECK(apart);
    }
  CHECK(plan.floats() < sum / 4);
}
