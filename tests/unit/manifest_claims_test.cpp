// Claims over lists of records, and measures that take them.
#include <cmath>

#include "manifest/measure.hpp"
#include "manifest/record_path.hpp"
#include "unit/manifest_fixture.hpp"

using namespace khost;
using khost::test::complaint;
using khost::test::Folder;
using khost::test::read;
using khost::test::replaced;
using khost::test::rich;

namespace {

using Names = std::vector<Measure::Name>;
using Values = std::vector<std::vector<double>>;
constexpr double missing_value = std::numeric_limits<double>::quiet_NaN();

std::string refusal(const std::function<void()>& f) {
  try {
    f();
    return "none";
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::usage);
    return e.what();
  }
}

// The rich manifest's claim with other names and another measure; "let" stands at 18:26.
std::string with_claim(const std::string& let, const std::string& measure, const std::string& extra = "") {
  std::string text = rich;
  const std::size_t begin = text.find("\"let\": {"), end = text.find("\"predicts\"");
  text.replace(begin, end - begin, "\"let\": " + let + ", \"measure\": \"" + measure + "\", " + extra);
  return complaint(text);
}

}  // namespace

TEST_CASE("patterns of records meet where a name fits both") {
  const auto meet = [](const char* a, const char* b) {
    const bool met = patterns_meet(a, b);
    CHECK(patterns_meet(b, a) == met);
    return met;
  };
  CHECK(meet("in_basis/layer<l>", "in_basis/layer*"));
  CHECK(meet("in_basis/layer<l>", "in_basis/*"));
  CHECK(meet("in_basis/layer<l>", "in_basis/layer<k>"));
  CHECK(meet("step<n>/<matrix>", "step1/*"));
  CHECK(meet("keep<k>", "keep32"));
  CHECK(meet("final", "*"));
  CHECK(meet("K8", "K8*"));
  CHECK(meet("a*c", "ab*"));
  CHECK(meet("*", "*"));
  CHECK(meet("", "*"));
  CHECK_FALSE(meet("", "<a>"));
  CHECK_FALSE(meet("keep<k>", "keep"));
  CHECK_FALSE(meet("in_basis/layer<l>", "in_basis*"));
  CHECK_FALSE(meet("drift/<group>", "drift/0/1"));
  CHECK_FALSE(meet("drift/<group>", "*"));
  CHECK_FALSE(meet("ratio", "ratio2"));
  CHECK_FALSE(meet("a*c", "ab*d"));
  // A plain name for one of them: as matches_record has it.
  for (const char* declared : {"drift/<group>", "keep<k>", "a<b>c<d>", "<a>/x", "ratio"})
    for (const char* name : {"drift/0", "keep32", "axxcyy", "y/x", "ratio", "drift/", "drift/0/1", "keep", "acc", "ac", "accc"})
      CHECK(patterns_meet(declared, name) == matches_record(declared, name));
}

TEST_CASE("measures of lists") {
  const auto value = [](const std::string& text, const Values& values) {
    return Measure(text, Names{{"a", 3}, {"b", 3}, {"c"}})(values);
  };
  const Values values = {{4, 1, 7}, {2, 9, 4}, {10}};
  CHECK(value("mean(a)", values) == 4);
  CHECK(value("mean( a )", values) == 4);
  CHECK(value("sum(a, c, b)", values) == 37);
  CHECK(value("min(a) + max(b)", values) == 10);
  CHECK(value("min(a, 0, c)", values) == 0);
  CHECK(value("argmin(a)", values) == 1);
  CHECK(value("argmax(a)", values) == 2);
  CHECK(value("argmax(b, c)", values) == 3);
  CHECK(value("sd(a)", values) == doctest::Approx(3));
  CHECK(value("range(a) * c", values) == 60);
  CHECK(value("mean(a, a, b)", values) == doctest::Approx(13.0 / 3));
  CHECK(value("pearson(a, b)", values) == doctest::Approx(-15 / std::sqrt(18.0 * 26)));
  CHECK(value("pearson(a, a)", values) == doctest::Approx(1));
  CHECK(value("spearman(a, b)", {{1, 10, 100}, {2, 3, 30}, {0}}) == doctest::Approx(1));
  CHECK(value("spearman(a, b)", {{1, 2, 3}, {5, 9, 7}, {0}}) == doctest::Approx(0.5));
  CHECK(value("spearman(a, b)", {{1, 2, 2, 3}, {1, 2, 3, 4}, {0}}) == doctest::Approx(4.5 / std::sqrt(4.5 * 5)));  // ties
  CHECK(value("interpolate(2.5, a, b)", {{1, 3, 2}, {10, 50, 20}, {0}}) == doctest::Approx(35));
  CHECK(value("interpolate(3, a, b)", {{1, 3, 2}, {10, 50, 20}, {0}}) == 50);
  CHECK(value("interpolate(1.5, 1, 2, 4, b)", {{1, 3, 2}, {10, 50, 20}, {0}}) == doctest::Approx(30));
  CHECK(std::isnan(value("interpolate(3.1, a, b)", {{1, 3, 2}, {10, 50, 20}, {0}})));  // beyond all of them
  CHECK(std::isnan(value("interpolate(0.9, a, b)", {{1, 3, 2}, {10, 50, 20}, {0}})));
  CHECK(value("exp(log(mean(a))) + sqrt(c - 1)", values) == doctest::Approx(7));
  for (const char* text :
       {"mean(a)", "min(a)", "max(a)", "argmin(a)", "argmax(a)", "sd(a)", "range(a)", "sum(a)", "pearson(a, b)"})
    CHECK(std::isnan(value(text, {{1, missing_value, 3}, {1, 2, 4}, {0}})));
  CHECK(std::isnan(value("pearson(a, b)", {{1, 1, 1}, {1, 2, 4}, {0}})));
}

TEST_CASE("a measure that meets a missing value is missing, whatever it compares it with") {
  const auto value = [](const std::string& text, double a, double b) {
    return Measure(text, Names{{"a"}, {"b"}})(std::vector<double>{a, b});
  };
  for (const char* text :
       {"a < b", "a > b", "a <= b", "a >= b", "a == b", "a != b", "a && b", "a || b", "argmin(a, b)", "a ? 1 : 2",
        "b > 0 ? b : a", "sign(a)", "(a < b) + 1", "min(1, a < b)", "abs(a) > 0", "-a < 0", "a ^ 0"}) {
    CAPTURE(text);
    CHECK(std::isnan(value(text, missing_value, 3)));
    CHECK_FALSE(std::isnan(value(text, 1, 3)));
  }
  for (const char* text : {"0 * ln(a) < 1", "a / a < 1", "sqrt(a - 1) > 0 ? 1 : 0", "(a / a) ? 1 : 0", "argmin(a / a, b)",
                           "acos(b) < 9", "(a - 1) ^ 0.5 < 1", "sign(a / a)", "pearson(a, a, b, b) < 1", "1 / a - 1 / a < 1"}) {
    CAPTURE(text);
    CHECK(std::isnan(value(text, 0, 3)));
  }
  CHECK(value("b > 0 ? b : 1 / a - 1 / a", 0, 3) == 3);  // what is not computed is not missing
  CHECK(value("b", missing_value, 3) == 3);
  CHECK(value("a < b", 1, 3) == 1);
  CHECK(value("1 / a > b", 0, 3) == 1);  // infinity is a number to compare
  // The operators mean what they meant.
  CHECK(value("-a ^ 2", 3, 0) == doctest::Approx(-9));
  CHECK(value("2 ^ 3 ^ 2", 0, 0) == doctest::Approx(512));
  CHECK(value("1 - 2 - 3 * 4 / 2 / 3", 0, 0) == doctest::Approx(-3));
  CHECK(value("1 + 2 < 4 && 3 >= 3 || 0", 0, 0) == 1);
  CHECK(value("a > 1 ? b : -b", 2, 5) == 5);
  CHECK(value("1e-3 * a - -b", 1000, 5) == 6);
}

TEST_CASE("measures of lists whose length a run decides") {
  const Measure measure("pearson(a, b) + max(c) * a_0", Names{{"a", 0}, {"b", 0}, {"c", 0}, {"a_0"}});
  CHECK(measure(Values{{1, 2, 3}, {2, 4, 6}, {5}, {2}}) == doctest::Approx(11));
  CHECK(measure(Values{{1, 2}, {4, 2}, {5, 7, 6, 1}, {1}}) == doctest::Approx(6));
  CHECK(measure(Values{{1, 2, 3}, {2, 4, 6}, {5}, {2}}) == doctest::Approx(11));
  CHECK(refusal([&] {
          measure(Values{{1, 2, 3}, {2, 4}, {5}, {2}});
        }) ==
        "the measure \"pearson(a, b) + max(c) * a_0\" takes pearson(a, b) of lists of unequal length: 'a' has 3, 'b' has 2");
  CHECK(refusal([&] {
          measure(Values{{1}, {2}, {5}, {2}});
        }) ==
        "the measure \"pearson(a, b) + max(c) * a_0\" cannot be computed: pearson takes x1, ..., xn, y1, ..., yn with n at least "
        "2");
  CHECK(refusal([&] {
          measure(Values{{1, 2}, {2, 3}, {}, {2}});
        }) == "the measure \"pearson(a, b) + max(c) * a_0\" cannot be computed: there is no record for 'c'");
  CHECK(refusal([&] {
          measure(Values{{1, 2}, {2, 3}, {1}, {2, 3}});
        }) == "the measure \"pearson(a, b) + max(c) * a_0\" takes one number for 'a_0', but there are 2");
  CHECK(refusal([&] {
          measure(Values{{1, 2}});
        }) == "the measure \"pearson(a, b) + max(c) * a_0\" has 4 names, but values for 1");
  CHECK(measure(Values{{1, 2, 3}, {2, 4, 6}, {5}, {2}}) == doctest::Approx(11));  // a refusal leaves it usable
}

TEST_CASE("measures that misuse a list") {
  const auto said = [](const std::string& text) {
    return refusal([&] { Measure(text, Names{{"a", 3}, {"b", 4}, {"o", 0}, {"c"}}); });
  };
  const std::string hint =
      "\n  a list stands as an argument of its own, as in mean(a); functions of many: mean, avg, sum, min, max, range, argmin, "
      "argmax, sd, pearson, spearman, interpolate";
  for (const auto& [text, at] :
       {std::pair{"a", 1}, {"c + a", 5}, {"mean(a + 1)", 6}, {"exp(a)", 5}, {"mean((a))", 7}, {"mean(-a)", 7}, {"(a)", 2}})
    CHECK(said(text) == "the measure \"" + std::string(text) + "\" uses 'a', a list of records, as one number at character " +
                            std::to_string(at) + hint);
  CHECK(said("pearson(a, b)") ==
        "the measure \"pearson(a, b)\" takes pearson(a, b) of lists of unequal length: 'a' has 3, 'b' has 4");
  CHECK(said("pearson(a, o)") == "none");
  CHECK(said("pearson(a, o) + pearson(b, o)") ==
        "the measure \"pearson(a, o) + pearson(b, o)\" takes pearson(b, o) of lists of unequal length: 'b' has 4, 'o' has 3");
  CHECK(said("interpolate(c, a, o)") == "none");
  CHECK(said("interpolate(c, 1, 2, 3, a)") == "none");
  CHECK(said("interpolate(c, a, b)") ==
        "the measure \"interpolate(c, a, b)\" takes interpolate(a, b) of lists of unequal length: 'a' has 3, 'b' has 4");
  CHECK(said("interpolate(a, b)") ==
        "the measure \"interpolate(a, b)\" gives interpolate a list and something else; it takes a number and two lists of one "
        "length");
  CHECK(said("interpolate(c, 1, 2, a)") ==
        "the measure \"interpolate(c, 1, 2, a)\" gives interpolate 2 xs and 'a' of 3; they are of one length");
  CHECK(said("interpolate(c, 1, 2, 3, 4, 5, a)") ==
        "the measure \"interpolate(c, 1, 2, 3, 4, 5, a)\" gives interpolate 5 xs and 'a' of 3; they are of one length");
  CHECK(
      said("interpolate(c, 1, 2)") ==
      "the measure \"interpolate(c, 1, 2)\" cannot be computed: interpolate takes x, x1, ..., xn, y1, ..., yn with n at least 2");
  CHECK(said("pearson(a)") ==
        "the measure \"pearson(a)\" gives pearson a list and something else; it takes two lists of one length");
  CHECK(said("pearson(a, c, 1)") ==
        "the measure \"pearson(a, c, 1)\" gives pearson a list and something else; it takes two lists of one length");
  CHECK(said("sd(c)") == "the measure \"sd(c)\" cannot be computed: sd takes at least 2 values");
  CHECK(said("mean()") != "none");
  CHECK(said("mean(a) + c c") == "the measure \"mean(a) + c c\" has 'c' at character 13 where an operator is expected");
  CHECK(said("mean(a) + mean(b) * * 2") ==
        "the measure \"mean(a) + mean(b) * * 2\" has an operator '*' at character 21 that does not belong there");
  CHECK(said("mean(a, b") == "the measure \"mean(a, b\" has a '(' without its ')'");
  CHECK(said("mean(a), c") == "the measure \"mean(a), c\" gives 2 numbers; one is expected");
}

TEST_CASE("manifest: claims over lists") {
  const Folder folder;
  const Claim claim = read(folder.write("m", rich)).claims.at(0);
  using Paths = std::vector<std::string>;
  CHECK(claim.let[0].paths == Paths{"K16-lr0.001-batch1/loss/final", "K16-lr0.005-batch1/loss/final"});
  CHECK(claim.let[1].paths == Paths{"K8/effective_rank/in_basis/layer*"});
  CHECK(claim.let[2].paths == Paths{"K8/loss/at2", "K8/loss/at4"});
  CHECK(claim.let[3].paths == Paths{"K8/loss/final"});
  for (const char* let :
       {R"({"a": "K8/loss/at*"})", R"({"a": "K*/effective_rank/in_basis/*"})", R"({"a": "full/coverage/step1/*"})",
        R"({"a": ["@init/K16*/loss/final", "K8/loss/held_out_at4"]})", R"({"a": "K8/parameters/adapter_mean"})",
        R"({"a": "K8/loss/held_out_at4"})", R"({"a": "*/parameters/trainable_mean"})", R"({"a": ["K8/loss/final"]})"}) {
    CAPTURE(let);
    CHECK(with_claim(let, "mean(a)") == "read");
  }
  CHECK(with_claim(R"({"a": ["K8/loss/final"]})", "a + 1") == "read");  // a list of one is one
  CHECK(with_claim(R"({"a": "@init/K8*/loss/final"})", "a + 1") == "read");
}

TEST_CASE("manifest: claims over lists that are wrong") {
  struct Bad {
    std::string let, measure, message;
  };
  const std::string all_arms =
      "K8, rules, cheap, full, bare, adaptive, K16-lr0.001-batch1, K16-lr0.001-batch2, K16-lr0.005-batch1, K16-lr0.005-batch2";
  const std::vector<Bad> cases = {
      {R"({"a": []})", "mean(a)", "m:18:32: 'a' in 'let' is an empty list of paths"},
      {R"({"a": ["K8/loss/final", 3]})", "mean(a)",
       "m:18:50: 'a' in 'let' takes the path of a record or a list of paths, found 3"},
      {R"({"a": ["K8/loss/final", "K8/loss/fianl"]})", "mean(a)",
       "m:18:50: 'K8/loss/fianl': there is no record of 'loss' called 'fianl'\n"
       "  did you mean 'final'?\n"
       "  the records of 'loss': base, final, held_out_base, held_out_final, train_last, at2, at4, held_out_at2, held_out_at4"},
      {R"({"a": "L*/loss/final"})", "mean(a)", "m:18:32: 'L*/loss/final': no arm fits 'L*'\n  the arms: " + all_arms},
      {R"({"a": "*/effective_rank/in_basis"})", "mean(a)",
       "m:18:32: 'full/effective_rank/in_basis': there is no probe in arm 'full' called 'effective_rank'\n"
       "  the probes of the arm: loss, parameters, coverage"},
      {R"({"a": "K8/effective_rank/at_basis/*"})", "mean(a)",
       "m:18:32: 'K8/effective_rank/at_basis/*': there is no record of 'effective_rank' called 'at_basis/*'\n"
       "  the records of 'effective_rank': in_basis, in_basis/layer<l>"},
      {R"({"a": "K8/*/final"})", "mean(a)",
       "m:18:32: 'K8/*/final': a * can stand in the arm and in the record, not in the probe\n  name the probe in full"},
      {R"({"a": "@*/K8/loss/final"})", "mean(a)",
       "m:18:32: '@*/K8/loss/final': a * can stand in the arm and in the record, not in the base\n"
       "  a path without @BASE/ is of every base in turn"},
      {R"({"a": "K8/effective_rank/in_basis/layer<l>"})", "a",
       "m:18:32: 'K8/effective_rank/in_basis/layer<l>': what stands in <> is to be filled in\n"
       "  * stands for all there are, as in \"K64/snr/drift/*\""},
      {R"({"a": "K8/loss/at3"})", "a",
       "m:18:32: 'K8/loss/at3': there is no record of 'loss' called 'at3'\n"
       "  did you mean 'at2', 'at4'?\n"
       "  the records of 'loss': base, final, held_out_base, held_out_final, train_last, at2, at4, held_out_at2, held_out_at4\n"
       "  \"record_at\": [3] in arm 'K8' makes it"},
      {R"({"a": "K8/effective_rank/in_basis/layer*"})", "a",
       "m:18:81: the measure \"a\" uses 'a', a list of records, as one number at character 1\n"
       "  a list stands as an argument of its own, as in mean(a); functions of many: mean, avg, sum, min, max, range, argmin, "
       "argmax, sd, pearson, spearman, interpolate"},
      {R"({"a": "K16*/loss/final", "b": ["K8/loss/at2", "K8/loss/at4"]})", "pearson(a, b)",
       "m:18:100: the measure \"pearson(a, b)\" takes pearson(a, b) of lists of unequal length: 'a' has 4, 'b' has 2"},
      {R"({"sd": "K8/loss/final"})", "sd", "m:18:27: 'sd' is a function or constant of measures; 'let' needs another name"},
  };
  for (const Bad& c : cases) {
    CAPTURE(c.let);
    CHECK(with_claim(c.let, c.measure) == c.message);
  }
}
