#include <doctest/doctest.h>

#include <cmath>

#include "displacement.hpp"
#include "khost/testing.hpp"
#include "reference_json.hpp"

using khost::testing::FakeTrial;
using khost::testing::Hosted;

TEST_CASE("norms agree with NumPy's of the whole dW, from tests/reference/displacement.py") {
  const khost::Json reference = reference_json("displacement");
  FakeTrial trial({{"a", 15, 7, 5, -1}, {"b", 24, 8, 5, 0}, {"c", 8, 8, 3, 0}});
  trial.moved = numbers_of<double>(reference.at("matrices"));
  Hosted<Displacement> probe({});
  probe.begin(trial);
  probe.conclude(trial);
  CHECK(trial.records.at("total") == doctest::Approx(reference.at("total").as_number()).epsilon(1e-13));
  CHECK(trial.records.at("mean") == doctest::Approx(reference.at("mean").as_number()).epsilon(1e-13));
  CHECK(trial.records.at("matrix/b") == trial.moved[1]);
}

TEST_CASE("the mean is over what could move: an adapter that did not is counted, a frozen matrix is not") {
  FakeTrial trial({{"adapted", 9, 7, 3, 0}, {"still", 9, 7, 3, 0}, {"frozen", 9, 7, 0, 0}, {"trained", 9, 7, 0, 1}});
  trial.moved = {3, 0, 0, 4};
  Hosted<Displacement> probe({});
  probe.conclude(trial);
  CHECK(trial.records.at("total") == 5);
  CHECK(trial.records.at("mean") == doctest::Approx(7 / 3.0));
  CHECK(trial.records.at("matrix/still") == 0);
  CHECK(!trial.records.contains("matrix/frozen"));
  CHECK(trial.records.at("matrix/trained") == 4);
  FakeTrial none({{"frozen", 9, 7, 0, 0}});
  none.moved = {0};
  probe.conclude(none);
  CHECK(std::isnan(none.records.at("total")));
}

TEST_CASE("it says that it has no null, and why") { CHECK(khost::testing::without_null<Displacement>({}, {}).empty()); }
