#include <doctest/doctest.h>

#include <cmath>

#include "gpt.hpp"
#include "khost/error.hpp"

using namespace khost;
using gpt::Gpt;

namespace {
std::int64_t adapter_parameters(const Gpt& model, std::int64_t rank) {
  std::int64_t sum = 0;
  for (const Parameter& p : model.parameters())
    if (p.adaptable) sum += rank * (p.shape[0] + p.shape[1]);
  return sum;
}
}  // namespace

TEST_CASE("gpt: the papers' adapter parameter counts at full size") {
  const Gpt model({}, {15007, 127});
  int matrices = 0;
  for (const Parameter& p : model.parameters()) matrices += p.adaptable;
  CHECK(matrices == 33);
  CHECK(adapter_parameters(model, 1) == 48031);
  CHECK(adapter_parameters(model, 32) == 1536992);
  CHECK(adapter_parameters(model, 64) == 3073984);
}

TEST_CASE("gpt: names, shapes and initial spreads") {
  const Gpt model({.d_model = 12, .n_layer = 2, .n_head = 3, .head = "tied"}, {7, 5});
  const auto all = model.parameters();
  REQUIRE(all.size() == 2 + 2 * 8 + 2);
  CHECK(all[0].name == "tok_emb");
  CHECK(all[0].shape == Shape{7, 12});
  CHECK(all[1].shape == Shape{5, 12});
  CHECK_FALSE(all[1].adaptable);
  CHECK(all[12].name == "layer.1.attn.qkv");
  CHECK(all[12].shape == Shape{36, 12});
  CHECK(all[12].layer == 1);
  CHECK(all[13].sd == doctest::Approx(0.01));  // 0.02 / sqrt(2 x 2)
  CHECK(all[16].shape == Shape{48, 12});
  CHECK(all[17].shape == Shape{12, 48});
  CHECK(all.back().name == "ln_f.bias");
  CHECK(all.back().init == Init::zeros);
}

TEST_CASE("gpt: a width that does not divide over the heads is refused") {
  CHECK_THROWS_WITH_AS(Gpt({.d_model = 10, .n_layer = 1, .n_head = 4, .head = "tied"}, {7, 5}),
                       doctest::Contains("d_model 10 cannot be split over n_head 4"), Error);
}
