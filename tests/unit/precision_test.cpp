// onednn with "precision": "bf16": what is rounded, and what it does to a step.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "bench/training_step.hpp"
#include "khost/error.hpp"
#include "unit/small_trial.hpp"

using namespace khost;

namespace {

constexpr const char* bf16 = R"({"precision":"bf16"})";

// Null where this CPU multiplies no bf16.
std::unique_ptr<Backend> in_bf16(int threads = 1) {
  try {
    return std::make_unique<Backend>("onednn", test::compute_table("onednn"), bf16, threads);
  } catch (const Error& e) {
    if (std::string(e.what()).find("multiplies no bf16") == std::string::npos) throw;
    MESSAGE("left out: " << e.what());
    return nullptr;
  }
}

}  // namespace

TEST_CASE("bf16: packed products round their inputs to 8 bits and sum in f32; others are those of f32") {
  const auto backend = in_bf16(2);
  if (!backend) return;
  CHECK(backend->info().packed_bits == 8);
  CHECK(backend->info().kernel.find("bf16") != std::string::npos);
  Backend exact("onednn", test::compute_table("onednn"), "{}", 2);
  CHECK(exact.info().packed_bits == 24);
  constexpr std::int64_t m = 70, n = 96, k = 256;
  Random random(1, "precision", "test");
  std::vector<float> A(m * k), B(n * k), C(m * n), f32(m * n);
  for (auto* values : {&A, &B})
    for (float& v : *values) v = static_cast<float>(random.normal());
  khost_gemm g{0, 1, m, n, k, 1, A.data(), k, B.data(), k, 0, C.data(), n};
  const auto packed = backend->pack(g);
  backend->gemm(g, *packed);
  double worst = 0;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0, size = 0;
      for (std::int64_t p = 0; p < k; ++p) {
        const double term = static_cast<double>(A[static_cast<std::size_t>(i * k + p)]) * B[static_cast<std::size_t>(j * k + p)];
        sum += term, size += std::fabs(term);
      }
      worst = std::max(worst, std::fabs(C[static_cast<std::size_t>(i * n + j)] - sum) / size);
    }
  CHECK(worst < std::ldexp(1, -7));   // two roundings by at most 2^-8 each
  CHECK(worst > std::ldexp(1, -14));  // it is at work

  backend->gemm(g);
  g.c = f32.data();
  exact.gemm(g);
  CHECK(C == f32);
}

TEST_CASE("bf16: a step's loss and gradients are near those of f32") {
  const auto backend = in_bf16();
  if (!backend) return;
  Backend exact("onednn", test::compute_table("onednn"), "{}", 1);
  test::StepSize size;
  size.vocabulary = 500, size.sequence = 63, size.batch = 2, size.rank = 16;
  size.model = Json::object({{"d_model", 64}, {"n_layer", 4}, {"n_head", 4}});
  test::TrainingStep rounded(size, *backend), plain(size, exact);
  CHECK(rounded() == doctest::Approx(plain()).epsilon(1e-3));
  for (std::size_t i = 0; i < plain.gradients().size(); ++i) {
    double difference = 0, norm = 0;
    for (std::size_t k = 0; k < plain.gradients()[i].size(); ++k) {
      const double a = plain.gradients()[i][k], b = rounded.gradients()[i][k];
      difference += (a - b) * (a - b), norm += a * a;
    }
    CHECK(std::sqrt(difference / norm) < 0.03);
    CHECK(difference > 0);
  }
}

TEST_CASE("bf16: evaluations round as the steps do") {
  const auto backend = in_bf16();
  if (!backend) return;
  test::SmallTrial trial(test::core("diagonal"));
  const test::AnyText text;
  const WindowSet windows(text, Part::held_out, 12, test::SmallTrial::sequence);
  Evaluator evaluator(*trial.model, *trial.weights, test::SmallTrial::sequence, *backend);
  CHECK(evaluator.loss(windows) == trial.by_adapters(windows, *backend));
}

TEST_CASE("a precision that there is not is refused") {
  CHECK_THROWS_WITH_AS(Backend("onednn", test::compute_table("onednn"), R"({"precision":"fp8"})", 1),
                       "compute plugin 'onednn' cannot be used: its precision is \"fp8\"; it can be \"f32\" or \"bf16\"", Error);
}
