// Whether a backend multiplies: what must be exact, and on a grid of shapes how near it comes and how fast it is.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "check/test.hpp"
#include "compute/backend.hpp"
#include "compute/check_products.hpp"

namespace khost::check {

namespace {

Backend backend(const Subject& of) {
  const std::string options = of.given.canonical();
  void* context = nullptr;
  char message[1024] = {};
  const khost_compute& table = *of.plugin.descriptor->compute;
  if (table.create(options.c_str(), 1, &context, message, sizeof message) != 0) throw Skipped(message);
  table.destroy(context);
  return Backend(of.plugin.name(), &table, options, 1);
}

std::string products_test(const Subject& of) {
  const std::string options = of.given.canonical();
  backend(of);
  check_products(of.plugin.name(), *of.plugin.descriptor->compute, options, 2);
  return "";
}

struct Matrix {
  std::int64_t ld;
  std::vector<float> entries;
  Matrix(std::int64_t rows, std::int64_t columns, std::int64_t apart, Random& random)
      : ld(columns + apart), entries(static_cast<std::size_t>(rows * ld)) {
    for (float& e : entries) e = static_cast<float>(random.normal());
  }
};

std::string accuracy_test(const Subject& of) {
  Backend tested = backend(of);
  Random random(of.seed, "check", "products");
  double worst = 0;
  std::int64_t shapes = 0;
  std::string where;
  constexpr std::int64_t sizes[] = {1, 2, 3, 7, 31, 64, 127, 130};
  for (const std::int64_t m : sizes)
    for (const std::int64_t n : sizes)
      for (const std::int64_t k : {std::int64_t{1}, std::int64_t{5}, std::int64_t{64}, std::int64_t{257}}) {
        // As a weight in a step, which some libraries pack alone: A plain, rows close. Else any of transposes and rows apart.
        const bool weight = n == 64 && k == 64;
        const int form = static_cast<int>(random.below(8)) & (weight ? 2 : 7);
        const bool ta = form & 1, tb = form & 2;
        const std::int64_t apart = form & 4 ? 3 : 0;
        const float alpha = random.below(2) ? 1.0f : 0.5f, beta = random.below(2) ? 0.0f : 1.0f;
        const Matrix A(ta ? k : m, ta ? m : k, apart, random), B(tb ? n : k, tb ? k : n, apart, random);
        Matrix C(m, n, apart, random);
        std::vector<float> before = C.entries;
        if (beta == 0)
          for (float& c : C.entries) c = std::numeric_limits<float>::quiet_NaN();
        const khost_gemm g{ta, tb, m, n, k, alpha, A.entries.data(), A.ld, B.entries.data(), B.ld, beta, C.entries.data(), C.ld};
        const auto packed = random.below(2) || weight ? tested.pack(g) : nullptr;
        packed ? tested.gemm(g, *packed) : tested.gemm(g);
        ++shapes;
        for (std::int64_t i = 0; i < m; ++i)
          for (std::int64_t j = 0; j < n; ++j) {
            double sum = 0, size = 0;
            for (std::int64_t p = 0; p < k; ++p) {
              const double term = static_cast<double>(A.entries[static_cast<std::size_t>(ta ? p * A.ld + i : i * A.ld + p)]) *
                                  static_cast<double>(B.entries[static_cast<std::size_t>(tb ? j * B.ld + p : p * B.ld + j)]);
              sum += term, size += std::fabs(term);
            }
            const auto at = static_cast<std::size_t>(i * C.ld + j);
            const double expected =
                static_cast<double>(alpha) * sum + static_cast<double>(beta) * static_cast<double>(before[at]);
            // In units of the rounding of one addition of what is summed, by the number of terms; and the rounding of two inputs.
            const double bound = std::numeric_limits<float>::epsilon() * (size + std::fabs(static_cast<double>(before[at]))) *
                                     static_cast<double>(k + 4) +
                                 (packed ? std::ldexp(size, 1 - tested.info().packed_bits) : 0);
            const double error = std::fabs(static_cast<double>(C.entries[at]) - expected) / bound;
            const std::string here =
                fmt::format("C {}x{}, {} terms, A {}, B {}, rows {}, alpha {}, beta {}{}", m, n, k, ta ? "transposed" : "plain",
                            tb ? "transposed" : "plain", apart ? "apart" : "close", alpha, beta, packed ? ", packed" : "");
            if (!(error <= 1))
              throw Failure(fmt::format("{}: entry {},{} is {}, and should be {}", here, i, j, C.entries[at], expected),
                            beta == 0 && std::isnan(C.entries[at])
                                ? "with beta 0, C is written without being read"
                                : "decline (KHOST_DECLINED) what the library does not do right");
            if (error > worst) worst = error, where = here;
          }
      }
  return fmt::format("{} products, the largest error {:.2g} of its bound ({})", shapes, worst, where);
}

std::string speed_test(const Subject& of) {
  Backend tested = backend(of);
  Random random(of.seed, "check", "speed");
  constexpr std::int64_t m = 508, n = 512, k = 256;  // a batch of a small model by one of its matrices
  const Matrix A(m, k, 0, random), B(k, n, 0, random);
  Matrix C(m, n, 0, random);
  const khost_gemm g{0, 0, m, n, k, 1, A.entries.data(), A.ld, B.entries.data(), B.ld, 0, C.entries.data(), C.ld};
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 7; ++i) {
    const auto start = std::chrono::steady_clock::now();
    tested.gemm(g);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return fmt::format("{:.1f} GFLOP/s on one thread, {} x {} x {}", 2e-9 * static_cast<double>(m * n * k) / best, m, n, k);
}

}  // namespace

std::vector<Test> compute_tests() {
  return {{"products", "are products exact whose every sum is?", {Kind::compute}, &products_test},
          {"accuracy", "is every product within rounding, whatever its shape?", {Kind::compute}, &accuracy_test, "products"},
          {"speed", "how fast is it?", {Kind::compute}, &speed_test, "products"}};
}

}  // namespace khost::check
