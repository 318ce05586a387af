#include <doctest/doctest.h>

#include "k_schedule.hpp"
#include "khost/testing.hpp"
#include "message.hpp"

using khost::testing::FakeTrial;
using khost::testing::Hosted;

namespace {

FakeTrial trial_of(std::int64_t steps, std::int64_t K = 16) {
  FakeTrial trial({{"tok_emb", 99, 20, K, -1}, {"a", 20, 20, K, 0}, {"b", 20, 20, 0, 0}});
  trial.info().steps = steps;
  return trial;
}

// The rank of the first matrix at each step, and at which steps the optimizer was reset.
struct Course {
  std::vector<std::int64_t> ranks;
  std::vector<int> resets;
  double mean = 0;
};
Course run(const KSchedule::Config& config, std::int64_t steps) {
  FakeTrial trial = trial_of(steps);
  Hosted<KSchedule> policy(config);
  policy.begin(trial);
  Course out;
  std::int64_t now = 16;
  for (int step = 0; step < steps; ++step) {
    policy.before_step(trial, step);
    if (!trial.ranks.empty()) {
      CHECK(trial.ranks.size() == 2);  // the one without an adapter is left alone
      CHECK(trial.ranks.at(0) == trial.ranks.at(1));
      now = trial.ranks.at(0);
    }
    if (trial.resets) out.resets.push_back(step);
    out.ranks.push_back(now);
  }
  policy.conclude(trial);
  out.mean = trial.records.at("mean_k");
  return out;
}

std::string refusal(const KSchedule::Config& config, std::int64_t steps = 40, std::int64_t K = 16) {
  return message_of([&] { Hosted<KSchedule>(config).begin(trial_of(steps, K)); });
}

}  // namespace

TEST_CASE("K climbs by quarters and the optimizer is reset at each change, not at the start") {
  const Course c = run({{2, 4, 8, 16}, {0.25, 0.5, 0.75}, "reset"}, 10);
  CHECK(c.ranks == std::vector<std::int64_t>{2, 2, 4, 4, 4, 8, 8, 16, 16, 16});  // floor: 2, 5, 7
  CHECK(c.resets == std::vector<int>{2, 5, 7});
  CHECK(c.mean == doctest::Approx((2 * 2 + 3 * 4 + 2 * 8 + 3 * 16) / 10.0));
}

TEST_CASE("K may fall, and the optimizer keep its state") {
  const Course c = run({{16, 2}, {0.5}, "keep"}, 6);
  CHECK(c.ranks == std::vector<std::int64_t>{16, 16, 16, 2, 2, 2});
  CHECK(c.resets.empty());
  CHECK(c.mean == 9);
  CHECK(run({{8}, {}, "reset"}, 4).mean == 8);
  CHECK(run({{2, 4}, {0.29}, "keep"}, 100).mean == doctest::Approx((2 * 29 + 4 * 71) / 100.0));  // 0.29 * 100 < 29 in binary
}

TEST_CASE("what it changes is what it declares") {
  khost::Signals reset, keep;
  KSchedule::declare(reset, {});
  KSchedule::declare(keep, {{2, 4}, {0.5}, "keep"});
  CHECK(reset.modifies == std::vector<std::string>{"alpha.rank", "optimizer.state"});
  CHECK(keep.modifies == std::vector<std::string>{"alpha.rank"});
}

TEST_CASE("schedules that cannot be followed are refused") {
  const auto has = [](const std::string& text, const char* words) { return text.find(words) != std::string::npos; };
  CHECK(has(refusal({{2, 4}, {0.2, 0.5}, "reset"}), "there are 2 ranks and 2 changes in \"at\""));
  CHECK(has(refusal({{2, 4}, {1.0}, "reset"}), "which is not between 0 and 1"));
  CHECK(has(refusal({{2, 4}, {0.0}, "reset"}), "which is not between 0 and 1"));
  CHECK(has(refusal({{2, 4, 8}, {0.5, 0.5}, "reset"}), "\"at\" has 0.5 after 0.5; it must increase"));
  CHECK(has(refusal({{2, 4}, {0.02}, "reset"}), "the change at 0.02 of 40 steps falls on step 0"));
  CHECK(has(refusal({{2, 4}, {0.9999999999999}, "reset"}), "falls on the end of the last step"));
  CHECK(has(refusal({{2, 4, 8}, {0.5, 0.51}, "reset"}), "falls on step 20, like the one before it"));
  CHECK(has(refusal({{2, 16}, {0.5}, "reset"}, 40, 8), "the schedule reaches K = 16, but tok_emb has K = 8"));
  CHECK(has(refusal({{2, 16}, {0.5}, "reset"}, 40, 8), "give the adapter rank 16"));
  CHECK(has(refusal({{2, 4}, {0.5}, "reset"}, 40, 0), "there is no adapter whose K could change"));
}

TEST_CASE("it says that it has no null, and why") { CHECK(khost::testing::without_null<KSchedule>({}, {}).empty()); }
