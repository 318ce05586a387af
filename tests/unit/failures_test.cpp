#include "report/failures.hpp"

#include <doctest/doctest.h>

using namespace khost;

namespace {

TrialResult trial(const std::string& arm, std::uint64_t seed, const std::string& message) {
  TrialResult t;
  t.key = {arm, "plain", 0, seed};
  t.status = message.empty() ? "done" : "failed";
  t.message = message;
  return t;
}

}  // namespace

TEST_CASE("trials that failed alike are told of once, with their seeds") {
  Run run;
  for (const std::uint64_t seed : {0, 1, 2, 4, 6, 7}) run.trials.push_back(trial("A", seed, "it broke\n  in observe"));
  run.trials.push_back(trial("A", 3, ""));
  run.trials.push_back(trial("A", 5, "it broke otherwise"));
  run.trials.push_back(trial("B", 9, "it broke\n  in observe"));
  const std::vector<Failure> failures = failures_of(run);
  REQUIRE(failures.size() == 2);
  CHECK(failures[0].trials == "arm A, base plain, seeds 0-2, 4, 6, 7; arm B, base plain, seed 9");
  CHECK(failures[0].message == "it broke\n  in observe");
  CHECK(failures[0].count == 7);
  CHECK(failures[1].trials == "arm A, base plain, seed 5");
}

TEST_CASE("a message that speaks of its trial's seed is still the same") {
  Run run;
  for (const std::uint64_t seed : {0, 1, 2})
    run.trials.push_back(
        trial("B", seed, "arm B, base plain, seed " + std::to_string(seed) + " needs arm A, whose trial failed"));
  REQUIRE(failures_of(run).size() == 1);
  CHECK(failures_of(run)[0].trials == "arm B, base plain, seeds 0-2");
}
