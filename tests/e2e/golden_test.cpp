// The quickstart's records, all of them, beside those that tests/golden/quickstart.csv has of the same experiment. After a change
// that is meant to change figures, KHOST_REGENERATE=1 build/bin/khost_e2e -tc='*golden*' writes them anew.
//
// It was written on one machine; others have vector units of another width, and so other last bits: between this khost's backends
// the records of these 20 steps differ by up to 1.3e-5 of their value (a ratio of SNRs) and losses by 1e-8; and a difference of
// two effective ranks, 0.23 of 7 dims, by 4e-5 dims between machines. tests/golden/same_records.sh compares two builds on one
// machine, bit by bit.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "e2e/khost_program.hpp"

using namespace khost::test;

namespace {

constexpr const char* golden = KHOST_SOURCE_DIR "/tests/golden/quickstart.csv";
constexpr double bound = 1e-4;  // of a value; of losses and ranks, which may be differences, of 1 at least

struct Row {
  std::string name;  // all fields but the value
  std::string value;
};

std::vector<Row> rows_of(const std::string& text) {
  std::vector<Row> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string field; std::getline(parts, field, ',');) fields.push_back(field);
    REQUIRE(fields.size() == 9);
    Row& row = rows.emplace_back();
    row.value = fields[7];
    fields.erase(fields.begin() + 7);
    for (const std::string& field : fields) row.name += field + ",";
  }
  return rows;
}

}  // namespace

TEST_CASE("the quickstart's records are the golden ones") {
  const Khost khost;
  const Finished o =
      khost({KHOST_SOURCE_DIR "/experiments/quickstart.manifest", "--backend", "reference", "--seeds", "2", "--out", "run"});
  INFO(o.err);
  REQUIRE(o.code == 0);
  const std::string text = read(khost.scratch / "run/records.csv");
  if (std::getenv("KHOST_REGENERATE")) write(golden, text);
  const std::vector<Row> found = rows_of(text), expected = rows_of(read(golden));
  REQUIRE(found.size() > 700);
  REQUIRE(found.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 1; i < found.size(); ++i) {
    REQUIRE(found[i].name == expected[i].name);
    if (found[i].value == expected[i].value) continue;
    const double a = std::atof(found[i].value.c_str()), b = std::atof(expected[i].value.c_str());
    const bool counted = found[i].name.ends_with(",dims,") || found[i].name.ends_with(",nats,");
    const double error = std::abs(a - b) / std::max(std::abs(b), counted ? 1 : 1e-12);
    CHECK_MESSAGE(error <= bound, found[i].name << " is " << found[i].value << ", was " << expected[i].value);
    worst = std::max(worst, error);
  }
  MESSAGE("largest relative difference " << worst);
}
