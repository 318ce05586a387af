// The unit of a claim's measure.
#include "manifest/measure_unit.hpp"

#include "manifest/claims.hpp"
#include "unit/manifest_fixture.hpp"

using namespace khost;
using khost::test::complaint;
using khost::test::Folder;
using khost::test::good;
using khost::test::read;
using khost::test::replaced;

namespace {

const std::vector<std::pair<std::string, std::vector<std::string>>> names = {{"a", {"nats"}},
                                                                             {"b", {"nats"}},
                                                                             {"k", {"dims"}},
                                                                             {"p", {"parameters"}},
                                                                             {"r", {"1"}},
                                                                             {"many", {"nats", "nats"}},
                                                                             {"ks", {"dims", "dims"}},
                                                                             {"mixed", {"nats", "dims"}}};

std::string unit(const std::string& measure) {
  try {
    return unit_of_measure(measure, names, {"m", 3, 4}).text();
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::usage);
    return e.what();
  }
}

}  // namespace

TEST_CASE("units go through a measure") {
  using Cases = std::vector<std::pair<std::string, std::string>>;
  const Cases cases = {{"a", "nats"},
                       {"a - b", "nats"},
                       {"a / b", "1"},
                       {"-a", "nats"},
                       {"a / p", "nats / parameters"},
                       {"a / (p / 1e4)", "nats / parameters"},
                       {"2 * a - b / 3", "nats"},
                       {"a - 4.8", "nats"},
                       {"1 - a / b", "1"},
                       {"(a - b) / (k * k)", "nats / dims^2"},
                       {"a * b", "nats^2"},
                       {"sqrt(a * b)", "nats"},
                       {"(a / b) ^ r", "1"},
                       {"a ^ 2", "nats^2"},
                       {"a ^ -1", "1 / nats"},
                       {"2 ^ 3 ^ 2", "1"},
                       {"mean(many) - min(a, b, 3)", "nats"},
                       {"range(many) / sd(many)", "1"},
                       {"argmin(many)", "1"},
                       {"argmin(many) - 3", "1"},
                       {"pearson(many, ks)", "1"},
                       {"pearson(a, b, k, k)", "1"},
                       {"exp(a)", "1"},
                       {"ln(a / b)", "1"},
                       {"abs(a - b)", "nats"},
                       {"a < b ? a : b", "nats"},
                       {"a < b && k > 3", "1"},
                       {"a == b || r", "1"},
                       {"_pi * k", "dims"},
                       {"1e-3 * a", "nats"},
                       {"(a - b) > 0 ? 1 : 0", "1"}};
  for (const auto& each : cases) {
    const std::string& measure = each.first;
    CAPTURE(measure);
    CHECK(unit(measure) == each.second);
  }
}

TEST_CASE("what has different units is not added, compared or averaged") {
  CHECK(unit("a - k").starts_with("m:3:4: the measure \"a - k\" subtracts what is in nats and what is in dims, in \"a - k\"\n"));
  for (const char* measure :
       {"a + r", "a - b + k", "a < k", "mean(a, k)", "min(many, k)", "r > 0 ? a : k", "a / p - a", "argmax(a, k)",
        "pearson(a, k, b, b)", "(a - b) / (k - a)", "range(mixed)", "mixed", "a ^ b", "2 ^ a"}) {
    CAPTURE(measure);
    CHECK(unit(measure).starts_with("m:3:4: "));
  }
  CHECK(unit("range(mixed)").find("a list of records in nats and in dims") != std::string::npos);
}

TEST_CASE("a claim knows its measure's unit, and a prediction may say it") {
  const Folder folder;
  const auto claim = [&](const std::string& measure, const std::string& predicts) {
    const std::string text = replaced(replaced(good, "\"b / t\"", "\"" + measure + "\""), "\"predicts\": \"< 0.5\"",
                                      "\"predicts\": \"" + predicts + "\"");
    const Experiment e = read(folder.write("m", text));
    std::string said;
    for (const std::string& warning : e.warnings)
      if (warning.find("bare number") != std::string::npos) said = warning;
    return std::pair(e.claims[0].unit, said);
  };
  CHECK(claim("t", "< 0.5") == std::pair<std::string, std::string>("nats", ""));
  CHECK(claim("t", "in [1, 5] nats") == std::pair<std::string, std::string>("nats", ""));
  CHECK(claim("t * t", "< 0.5 nats^2") == std::pair<std::string, std::string>("nats^2", ""));
  const auto bare = claim("b / t", "< 0.5");
  CHECK(bare.first == "1 / nats");
  CHECK(bare.second.find("predicts a bare number, \"< 0.5\", of a measure in 1 / nats") != std::string::npos);
  CHECK(parse_prediction("> 3 dims").unit == "dims");
  CHECK(parse_prediction("> 3 dims").low == 3);
  const auto refused = [&](const std::string& predicts) {
    return complaint(replaced(replaced(good, "\"b / t\"", "\"t\""), "\"< 0.5\"", "\"" + predicts + "\""));
  };
  CHECK(refused("< 0.5 dims").find("claim 'noise' predicts dims, but \"t\" is in nats") != std::string::npos);
  CHECK(refused("< 0.5 bananas").find("is no unit") != std::string::npos);
  CHECK(complaint(replaced(good, "\"b / t\"", "\"b - t\"")).find("subtracts what is in 1 and what is in nats") !=
        std::string::npos);
}
