#include <doctest/doctest.h>

#include "ablation.hpp"
#include "khost/testing.hpp"

TEST_CASE("ablation keeps the leading dims of every matrix and shares are relative to keep 2") {
  khost::testing::FakeTrial trial({{"a", 9, 7, 6, 0}, {"b", 8, 8, 6, 0}});
  for (auto& a : trial.trained) a = {1, 2, 3, 4, 5, 6};
  int calls = 0;
  trial.loss = [&](const khost::Alphas& alphas) {  // exchangeable would be linear in the number kept; this is linear in their sum
    ++calls;
    double sum = 0;
    for (const auto& a : alphas)
      for (const float v : a) sum += v;
    return 100 - sum;
  };
  Ablation probe({{6, 4, 2, 0}});
  probe.begin(trial.info());
  probe.conclude(trial);
  CHECK(trial.records.at("keep6") == 100 - 42);
  CHECK(trial.records.at("keep4") == 100 - 20);
  CHECK(trial.records.at("keep2") == 100 - 6);
  CHECK(trial.records.at("keep0") == 100);
  CHECK(trial.records.at("share4") == doctest::Approx((80.0 - 58) / (94 - 58)));
  CHECK(trial.records.at("share2") == 1);
  CHECK(!trial.records.contains("share6"));
  CHECK(calls == 4);  // each loss once
  CHECK(trial.trained[0][5] == 6);
}

TEST_CASE("keeping more dims than there are is refused before the first step") {
  Ablation probe({{7}});
  khost::testing::FakeTrial trial({{"a", 9, 7, 6, 0}});
  CHECK_THROWS_WITH(probe.begin(trial.info()), doctest::Contains("keep has 7, but a has K = 6"));
}
