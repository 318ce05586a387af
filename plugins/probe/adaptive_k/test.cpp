#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "adaptive_k.hpp"
#include "khost/testing.hpp"
#include "message.hpp"
#include "null_sample.hpp"

using khost::AdaptedMatrix;
using khost::testing::FakeTrial;
using khost::testing::Hosted;

namespace {

constexpr double paper84[] = {20.08, 20.48, 17.61, 22.44, 20.39, 20.98, 20.29, 19.36};  // in-basis ER per layer at K = 32

// The papers' model: 33 matrices, the embedding first.
std::vector<AdaptedMatrix> papers(std::int64_t K) {
  std::vector<AdaptedMatrix> all{{"tok_emb", 15007, 256, K, -1}};
  for (int l = 0; l < 8; ++l) {
    const std::string layer = "layer." + std::to_string(l);
    all.push_back({layer + ".attn.qkv", 768, 256, K, l});
    all.push_back({layer + ".attn.proj", 256, 256, K, l});
    all.push_back({layer + ".mlp.up", 1024, 256, K, l});
    all.push_back({layer + ".mlp.down", 256, 1024, K, l});
  }
  return all;
}

struct Assigned {
  FakeTrial trial;
  std::vector<std::int64_t> layers;  // K of each layer's first matrix
  std::int64_t parameters = 0;
};

// What the policy makes of the matrices, and its records.
Assigned assign(const std::string& how, std::vector<AdaptedMatrix> matrices, std::span<const double> er, double c = 0.62,
                std::uint64_t seed = 1) {
  Assigned out{FakeTrial(std::move(matrices)), {}, 0};
  khost::TrialInfo& info = out.trial.info();
  info.seed = seed;
  for (std::size_t l = 0; l < er.size(); ++l)
    out.trial.upstream["uniform_32/effective_rank/in_basis/layer" + std::to_string(l)] = er[l];
  Hosted<AdaptiveK> policy({"uniform_32/effective_rank", c, how});
  const std::vector<std::int64_t> ranks = policy.resolve(out.trial);
  int layer = -1;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const AdaptedMatrix& m = info.matrices[i];
    CHECK(m.rank == ranks[i]);
    out.parameters += m.rank * (m.rows + m.cols);
    if (m.layer > layer) out.layers.push_back(m.rank), layer = m.layer;
    if (m.layer >= 0) CHECK(m.rank == out.layers.back());
  }
  policy.begin(out.trial);
  policy.conclude(out.trial);
  return out;
}

}  // namespace

TEST_CASE("paper 84's assignment to the last digit: K per layer, parameters, mean K, +1.07 %") {
  const Assigned a = assign("er", papers(32), paper84);
  CHECK(a.layers == std::vector<std::int64_t>{32, 33, 28, 36, 33, 34, 33, 31});
  CHECK(a.trial.info().matrices[0].rank == 32);  // the embedding keeps the base K
  CHECK(a.parameters == 1553376);
  CHECK(a.trial.records.at("mean_layer_k") == 32.5);
  CHECK(a.trial.records.at("mean_k") == doctest::Approx(1553376 / 48031.0).epsilon(1e-15));
  CHECK(a.trial.records.at("layer3/k") == 36);
  CHECK(a.trial.records.size() == 10);
  CHECK(std::round(1e4 * (static_cast<double>(a.parameters) / 1536992 - 1)) == 107);
}

TEST_CASE("shuffle keeps the Ks and their price, and its order is the seed's") {
  const Assigned er = assign("er", papers(32), paper84), a = assign("shuffle", papers(32), paper84);
  CHECK(a.layers != er.layers);
  auto left = er.layers, right = a.layers;
  std::ranges::sort(left), std::ranges::sort(right);
  CHECK(left == right);
  CHECK(a.parameters == er.parameters);
  CHECK(assign("shuffle", papers(32), paper84).layers == a.layers);
  CHECK(assign("shuffle", papers(32), paper84, 0.62, 2).layers != a.layers);
}

TEST_CASE("equal_parameters is uniform within one dim, spread evenly, at exactly the price of er") {
  const Assigned a = assign("equal_parameters", papers(32), paper84);
  CHECK(a.layers == std::vector<std::int64_t>{32, 33, 32, 33, 32, 33, 32, 33});
  CHECK(a.parameters == 1553376);
  const double three[] = {6.2, 6.2, 6.82};  // 10 + 10 + 11
  std::vector<AdaptedMatrix> matrices{{"a", 30, 20, 8, 0}, {"b", 20, 30, 8, 1}, {"c", 25, 25, 8, 2}};
  CHECK(assign("equal_parameters", matrices, three).layers == std::vector<std::int64_t>{10, 10, 11});
  matrices[1].cols = 40;
  CHECK(message_of([&] {
          assign("equal_parameters", matrices, three);
        }).find("a dim costs 50 parameters in layer 0 and 60 in layer 1") != std::string::npos);
}

TEST_CASE("K stays within 1 and min(m, n); matrices without an adapter stay without") {
  const double er[] = {0.2, 1000, 3.1};
  const std::vector<AdaptedMatrix> matrices{{"a", 9, 7, 4, 0}, {"b", 9, 6, 4, 1}, {"b2", 9, 9, 4, 1},
                                            {"c", 9, 9, 4, 2}, {"d", 9, 9, 0, 2}, {"e", 9, 9, 0, 3}};
  FakeTrial trial(matrices);
  for (std::size_t l = 0; l < 3; ++l) trial.upstream["u/er/in_basis/layer" + std::to_string(l)] = er[l];
  CHECK(Hosted<AdaptiveK>({"u/er", 0.62, "er"}).resolve(trial) == std::vector<std::int64_t>{1, 6, 6, 5, 0, 0});

  // Layer 1 takes at most 6 dims, of which a uniform assignment knows nothing.
  trial.info().matrices = {{"a", 20, 8, 4, 0}, {"b", 22, 6, 4, 1}};
  trial.upstream["u/er/in_basis/layer0"] = 1000;  // 8, and 6 of layer 1: 7 each
  CHECK(message_of([&] {
          Hosted<AdaptiveK>({"u/er", 0.62, "equal_parameters"}).resolve(trial);
        }).find("gives layer 1 K = 7, but its matrices take at most 6") != std::string::npos);
}

TEST_CASE("a missing upstream record is named, and so is a path of the wrong form") {
  double er[] = {20, khost::missing, 20, 20, 20, 20, 20, 20};
  const std::string text = message_of([&] { assign("er", papers(32), er); });
  CHECK(text.find("the record 'uniform_32/effective_rank/in_basis/layer1', from which layer 1 gets its K, is missing") == 0);
  for (const char* from : {"uniform_32", "/effective_rank", "uniform_32/", "a/b/c"}) {
    khost::Signals s;
    CHECK(message_of([&] {
            AdaptiveK::declare(s, {from, 0.62, "er"});
          }).find("is not of the form ARM/PROBE") != std::string::npos);
  }
  khost::Signals s;
  AdaptiveK::declare(s, {"uniform_32/effective_rank", 0.62, "er"});
  CHECK(s.reads == std::vector<std::string>{"uniform_32/effective_rank/in_basis/layer<l>"});
  CHECK(message_of([&] { assign("er", {{"tok_emb", 9, 9, 4, -1}}, {}); }).find("no matrix in a layer carries an adapter") == 0);
}

TEST_CASE("null: noise at K = 32 and c = 0.62 is given K = 39, or uniform 32 again at its own share") {
  khost::TrialInfo trial = papers_trial(32);
  for (const char* how : {"er", "shuffle", "equal_parameters"}) {
    const AdaptiveK::Config c{"K32/effective_rank", 0.62, how};
    const auto draws = khost::testing::null_draws<AdaptiveK>(c, trial, 40);
    CHECK(khost::testing::without_null<AdaptiveK>(c, draws).empty());
    CHECK(draws.size() == 10);
    // 32 x 0.759 / 0.62 = 39.2 +- 0.2 (0.046 x 32 over 4 matrices and 40 steps): 39 in most draws.
    for (const char* name : {"mean_layer_k", "layer0/k", "layer7/k"}) check_mean(draws.at(name), 39, 0.12);
    for (std::size_t i = 0; i < 40; ++i) {
      const double layers = 8 * 4096, embedding = 15263;  // what a dim costs; the embedding keeps its 32
      CHECK(draws.at("mean_k")[i] ==
            doctest::Approx((draws.at("mean_layer_k")[i] * layers + 32 * embedding) / (layers + embedding)));
    }
  }
  trial.matrices = {{"a", 9, 9, 9, 0}, {"b", 4, 4, 4, 1}};  // c = 0.3 asks for more than min(m, n)
  const auto draws = khost::testing::null_draws<AdaptiveK>({"K32/effective_rank", 0.3, "er"}, trial, 5);
  for (const double K : draws.at("layer1/k")) CHECK(K == 4);
  CHECK(khost::testing::null_draws<AdaptiveK>({"K32/effective_rank", 0.3, "shuffle"}, trial, 20).at("layer0/k").size() < 20);
}
