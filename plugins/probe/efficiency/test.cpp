#include <doctest/doctest.h>

#include <cmath>

#include "efficiency.hpp"
#include "khost/testing.hpp"

namespace {

std::map<std::string, double> efficiency(const khost::Outcome& outcome) {
  khost::testing::FakeTrial trial({{"a", 9, 7, 3, 0}});
  trial.result = outcome;
  khost::testing::Hosted<Efficiency> probe({});
  probe.begin(trial);
  probe.conclude(trial);
  return trial.records;
}

}  // namespace

TEST_CASE("paper 84's five efficiencies, to the printed digits") {
  struct Row {
    std::int64_t parameters;
    double loss, printed;
  };
  for (const Row& row : {Row{384248, 7.5273, 0.00816}, Row{768496, 7.2753, 0.00736}, Row{1553376, 6.8136, 0.00661},
                         Row{1536992, 6.8191, 0.00665}, Row{3073984, 6.1215, 0.00559}}) {
    const auto found = efficiency({.base = 7.8407, .final = row.loss, .adapter_parameters = row.parameters});
    CHECK(std::round(found.at("adapter") * 1e5) / 1e5 == doctest::Approx(row.printed).epsilon(1e-12));
  }
}

TEST_CASE("per trainable parameter, on held-out text, and missing where there is nothing to divide by") {
  const auto found = efficiency({.base = 8,
                                 .final = 7,
                                 .held_out_base = 8,
                                 .held_out_final = 8.5,
                                 .adapter_parameters = 20000,
                                 .trainable_parameters = 500});
  CHECK(found.at("adapter") == 0.5);
  CHECK(found.at("trainable") == 20);
  CHECK(found.at("held_out") == -0.25);  // it may be negative
  const auto full = efficiency({.base = 8, .final = 7, .trainable_parameters = 10000});
  CHECK(std::isnan(full.at("adapter")));
  CHECK(full.at("trainable") == 1);
  CHECK(std::isnan(full.at("held_out")));
}

TEST_CASE("it says that it has no null, and why") { CHECK(khost::testing::without_null<Efficiency>({}, {}).empty()); }
