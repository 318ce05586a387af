#include "engine/adapters.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "unit/plugins.hpp"

using namespace khost;

namespace {

std::vector<AdaptedMatrix> three() { return {{"a", 7, 5, 4, 0}, {"b", 6, 6, 0, 0}, {"c", 5, 9, 3, 1}}; }

std::shared_ptr<const Directions> basis_of(const std::vector<AdaptedMatrix>& matrices) {
  auto basis = std::make_shared<Directions>();
  for (const AdaptedMatrix& m : matrices) {
    Random random(3, m.name, "test");
    basis->push_back(random_basis(m.rows, m.cols, m.rank, random));
  }
  return basis;
}

// Puts values into what the trainer would change.
void fill(Adapters& adapters, std::string_view only = "") {
  Random random(5, "values", "test");
  for (const Trained& t : adapters.trained())
    if (only.empty() || t.name.find(only) != std::string::npos)
      for (float& v : t.value) v += static_cast<float>(random.uniform() - 0.5);
}

double norm(const std::vector<float>& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

}  // namespace

TEST_CASE("adapters: what each core trains") {
  const auto matrices = three();
  for (const auto& one : {std::pair{"diagonal", 7}, {"block", 16 + 9}, {"factors", 4 * (12 + 1) + 3 * (14 + 1)}}) {
    const auto core = one.first;
    const int trainable = one.second;
    CAPTURE(core);
    Adapters adapters(basis_of(matrices), matrices, test::core(core));
    CHECK(adapters.adapter_parameters() == 4 * 12 + 3 * 14);
    CHECK(adapters.trainable_parameters() == trainable);
    std::size_t numbers = 0;
    for (const Trained& t : adapters.trained()) numbers += t.value.size();
    CHECK(static_cast<int>(numbers) == trainable);
    CHECK(adapters.slot(1) == nullptr);  // K = 0
    REQUIRE(adapters.slot(2) != nullptr);
    CHECK(adapters.slot(2)->rank == 3);
    for (const double d : adapters.displacement()) CHECK(d == 0);
  }
}

TEST_CASE("adapters: displacement is the norm of the difference, for every core") {
  const auto matrices = three();
  for (const char* core : {"diagonal", "block", "factors"}) {
    CAPTURE(core);
    Adapters adapters(basis_of(matrices), matrices, test::core(core));
    fill(adapters);
    const std::vector<double> moved = adapters.displacement();
    REQUIRE(moved.size() == 3);
    CHECK(moved[1] == 0);
    for (const std::size_t i : {0u, 2u}) CHECK(moved[i] == doctest::Approx(norm(adapters.difference(i))).epsilon(1e-5));
  }
}

TEST_CASE("adapters: factors train copies, never the base's basis") {
  const auto matrices = three();
  const auto basis = basis_of(matrices);
  const std::vector<float> before = (*basis)[0].U;
  Adapters adapters(basis, matrices, test::core("factors"));
  fill(adapters);
  CHECK((*basis)[0].U == before);
  CHECK(std::vector<float>(adapters.U(0), adapters.U(0) + before.size()) != before);
}

TEST_CASE("adapters: a dim that is reset is 0, in a block its column; the others stay") {
  const auto matrices = three();
  for (const char* core : {"diagonal", "block"}) {
    CAPTURE(core);
    Adapters adapters(basis_of(matrices), matrices, test::core(core));
    fill(adapters, "alpha");
    const Alphas before = adapters.alphas();
    adapters.reset(0, 2);
    CHECK(adapters.alphas()[1] == before[1]);
    for (std::size_t k = 0; k < before[0].size(); ++k) {
      const bool reset = core == std::string("block") ? k % 4 == 2 : k == 2;
      CHECK(adapters.alphas()[0][k] == (reset ? 0.0f : before[0][k]));
    }
  }
}

TEST_CASE("adapters: a smaller rank drops dims, a larger one brings them back at 0") {
  const auto matrices = three();
  for (const char* core : {"diagonal", "block"}) {
    CAPTURE(core);
    const bool block = core == std::string("block");
    Adapters adapters(basis_of(matrices), matrices, test::core(core));
    fill(adapters, "alpha");
    const std::vector<float> before = adapters.alphas()[0];
    CHECK_FALSE(adapters.set_rank(0, 4));
    CHECK(adapters.set_rank(0, 2));
    CHECK(adapters.adapter_parameters() == 2 * 12 + 3 * 14);
    CHECK(adapters.trainable_parameters() == (block ? 4 + 9 : 2 + 3));
    const auto kept = [&](std::size_t entry, std::size_t dims) {
      return block ? entry / 4 < dims && entry % 4 < dims : entry < dims;
    };
    for (std::size_t k = 0; k < before.size(); ++k) {
      CHECK(adapters.active(0, k) == kept(k, 2));
      CHECK(adapters.alphas()[0][k] == (kept(k, 2) ? before[k] : 0.0f));
    }
    // What is switched off has no gradient, whatever the backward pass left.
    std::ranges::fill(const_cast<std::vector<float>&>(adapters.gradients()[0]), 1.0f);
    adapters.chain();
    for (std::size_t k = 0; k < before.size(); ++k) CHECK(adapters.gradients()[0][k] == (kept(k, 2) ? 1.0f : 0.0f));

    CHECK(adapters.set_rank(0, 3));
    for (std::size_t k = 0; k < before.size(); ++k) CHECK(adapters.alphas()[0][k] == (kept(k, 2) ? before[k] : 0.0f));
    CHECK(adapters.set_rank(0, 4));
    std::ranges::fill(const_cast<std::vector<float>&>(adapters.gradients()[0]), 1.0f);
    adapters.chain();
    for (const float g : adapters.gradients()[0]) CHECK(g == 1.0f);
  }
}

TEST_CASE("adapters: a step's scale multiplies alpha on the way in and its gradient on the way out") {
  const auto matrices = three();
  Adapters adapters(basis_of(matrices), matrices, test::core("diagonal"));
  fill(adapters, "alpha");
  adapters.scale(0)[1] = 2.5f;
  adapters.apply(adapters.alphas());
  CHECK(adapters.slot(0)->alpha[1] == 2.5f * adapters.alphas()[0][1]);
  CHECK(adapters.slot(0)->alpha[2] == adapters.alphas()[0][2]);
  std::ranges::fill(const_cast<std::vector<float>&>(adapters.gradients()[0]), 1.0f);
  adapters.chain();
  CHECK(adapters.gradients()[0][1] == 2.5f);
  adapters.unscale();
  adapters.apply(adapters.alphas());
  CHECK(adapters.slot(0)->alpha[1] == adapters.alphas()[0][1]);
}
