#include "report/report.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "khost/json.hpp"
#include "report/ending.hpp"
#include "report/figures.hpp"
#include "report/text.hpp"
#include "unit/scratch.hpp"
#include "unit/small_run.hpp"
#include "unit/text_file.hpp"

using namespace khost;

namespace {

void write_csv(const std::string& path, const Run& run) {
  const RunReader reader = kept(run, path + ".db");
  const Run kept_run = reader.run();
  write_records_csv(path, figures_of(kept_run, {}), reader);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("the table of a small run") {
  const std::string expected = R"(small: A run made up for a test
run 0123456789abcdef, khost 0.1.0, openblas (OpenBLAS 0.3.21, SkylakeX), 1 job of 2 threads, A CPU
5 trials: 3 run, 1 from the cache, 1 failed

base null                    mean           95 % interval    n  published
  K32
    loss/base              7.8500        7.8252 .. 7.8748    3
    loss/final             6.8750        6.5645 .. 7.1855    3     6.8191
    parameters/adapter  1,536,992               no spread    3
    snr/drift/0             5.800          5.552 .. 6.048    3      5.879 [1]
    grad/var/0          1.300e-05  2.938e-07 .. 2.571e-05  2/3   0.000008 [2]
  K64 (1 of 2 trials failed)
    loss/base              7.8400                          1/2
    loss/final             6.7500                          1/2
    parameters/adapter  1,536,992                          1/2
    er/in_basis            39.500                          1/2         39 [1]

Published in paper 85, phase C; paper 85, phase A; paper 83.
[1] Its text defines this loosely.
[2] One digit.

1 further figure is in report.html and summary.json; khost show prints them by name.
Published, but not measured in this run: K64/er/other
Published without a record of their own: 2, listed in report.md with the reasons.

null/K32/grad/var/0 is NaN in 1 of 3 trials, first with seed 0

1 trial failed:
  arm K64, base null, seed 1: the loss is NaN
    in arm K64, step 3
    a smaller lr may help
)";
  CHECK(figure_table(small_run(), small_published(), 100) == expected);
}

TEST_CASE("no line of the table is wider than asked") {
  Run run = small_run();
  run.title = std::string(150, 'x') + " and many more words that go on and on for longer than any terminal is wide";
  run.trials[0].add({"a_probe_with_a_long_name", "and/a/record/whose/name/does/not/end/before/the/line/does", -1, 1e-7, "1"});
  run.trials[4].message = std::string(300, 'y');
  Published published = small_published();
  published.figures[1].note = std::string(40, 'z') + " " + std::string(200, 'z');
  for (const int width : {60, 72, 100, 200}) {
    const std::string table = figure_table(run, published, width);
    for (const std::string& line : lines_of(table)) {
      CHECK_MESSAGE(columns(line) <= static_cast<std::size_t>(width), line);
      CHECK_MESSAGE((line.empty() || line.back() != ' '), line);
    }
    CHECK(table.find("1.000e-07") != std::string::npos);
    CHECK(table.find(" 39 [") != std::string::npos);
  }
  CHECK(figure_table(run, published, 5) == figure_table(run, published, 60));
}

TEST_CASE("a run without published figures, and one without trials") {
  CHECK(figure_table(small_run(), {}, 100).find("Published") == std::string::npos);
  Run empty;
  empty.experiment = "none";
  CHECK(figure_table(empty, {}, 100).find("0 trials: 0 run") != std::string::npos);
}

TEST_CASE("summary.json is what scripts are promised") {
  const Scratch folder;
  Run run = small_run();
  run.trials[0].hash = "abc";
  run.trials[0].artifacts = {{"trace.safetensors", "def"}};
  const Published published = small_published();
  write_summary(folder / "summary.json", run, figures_of(run, published.figures), published);
  const Json summary = parse_json_file(folder / "summary.json");

  std::vector<std::string> keys;
  for (const JsonMember& m : summary.as_object()) keys.push_back(m.key);
  CHECK(keys == std::vector<std::string>{"experiment", "run", "khost", "environment", "artifacts", "bases", "trials", "records",
                                         "not_finite", "claims"});
  CHECK(summary.at("experiment") == Json("small"));
  CHECK(summary.at("run") == Json("0123456789abcdef"));
  CHECK(summary.at("khost") == Json("0.1.0"));
  CHECK(summary.at("environment") == parse_json(R"({"backend": "openblas", "library": "OpenBLAS", "version": "0.3.21",
    "kernel": "SkylakeX", "threads": 2, "jobs": 1, "library_threads": null, "cpu": "A CPU", "notes": []})",
                                                "expected"));
  CHECK(summary.at("claims") == Json(Json::List()));

  const Json::List& trials = summary.at("trials").as_list();
  REQUIRE(trials.size() == 5);
  CHECK(trials[0] == parse_json(R"({"arm": "K32", "base": "null", "draw": 0, "seed": 1, "hash": "abc", "status": "done",
    "seconds": 2.0, "adapter_parameters": 1536992, "trainable_parameters": 1056,
    "artifacts": [{"file": "trace.safetensors", "sha256": "def"}]})",
                                "expected"));
  CHECK(trials[4].at("status") == Json("failed"));
  CHECK(trials[4].at("message").as_string().starts_with("the loss is NaN"));

  const Json& records = summary.at("records");
  CHECK_FALSE(records.find("null/K32/loss/step"));
  const Json& drift = records.at("null/K32/snr/drift/0");
  CHECK(drift.at("n") == Json(3));
  CHECK(drift.at("values") == parse_json("[5.7, 5.9, 5.8]", "expected"));  // seeds 0, 1, 2
  CHECK(drift.at("mean").as_number() == doctest::Approx(5.8).epsilon(1e-14));
  CHECK(drift.at("low").as_number() == doctest::Approx(5.8 - 4.302652729911275 * 0.1 / std::sqrt(3.)).epsilon(1e-10));
  CHECK(drift.at("high").as_number() == doctest::Approx(5.8 + 4.302652729911275 * 0.1 / std::sqrt(3.)).epsilon(1e-10));
  CHECK(drift.at("unit") == Json("1"));
  CHECK(drift.at("null").is_null());
  CHECK(drift.at("published") == Json(5.879));

  CHECK(records.at("null/K32/grad/var/0").at("values") == parse_json("[null, 1.2e-05, 1.4e-05]", "expected"));
  const Json& rank = records.at("null/K64/er/in_basis");  // the failed trial's value is not used
  CHECK(rank.at("values") == parse_json("[39.5, null]", "expected"));
  CHECK(rank.at("n") == Json(1));
  CHECK(rank.at("low").is_null());
  CHECK(records.at("null/K64/loss/base").at("published").is_null());
}

TEST_CASE("records.csv") {
  const Scratch folder;
  Run run;
  run.trials.push_back(trial("a \"base\"", "K32,drop", 1, {{"snr", "drift/0", -1, 0.1, "1"}, {"snr", "line", 7, absent, ""}}));
  run.trials.push_back(trial("a \"base\"", "K32,drop", 0, {}));
  run.trials.push_back(trial("a \"base\"", "K32,drop", 2, {}));
  run.trials[2].status = "failed";
  write_csv(folder / "records.csv", run);
  const std::string key = "\"a \"\"base\"\"\",\"K32,drop\",0,";
  const auto engine = [&](const std::string& seed, const std::string& base, const std::string& final) {
    return key + seed + ",loss,base,," + base + ",nats\r\n" + key + seed + ",loss,final,," + final + ",nats\r\n" + key + seed +
           ",loss,step,0,7.84,nats\r\n" + key + seed + ",parameters,adapter,,1536992,parameters\r\n";
  };
  CHECK(content_of(folder / "records.csv") == "base,arm,draw,seed,probe,name,step,value,unit\r\n" + engine("0", "7.84", "6.75") +
                                                  key + "1,snr,drift/0,,0.1,1\r\n" + key + "1,snr,line,7,,\r\n" +
                                                  engine("1", "7.85", "6.875"));
}

TEST_CASE("identical runs give identical records.csv, whatever they took") {
  const Scratch folder;
  Run first = small_run(), second = small_run();
  for (TrialResult& t : second.trials) {
    t.seconds *= 3;
    t.reused = !t.reused;
  }
  std::swap(second.trials[0], second.trials[2]);
  write_csv(folder / "first.csv", first);
  write_csv(folder / "second.csv", second);
  CHECK(content_of(folder / "first.csv") == content_of(folder / "second.csv"));
}

TEST_CASE("report.md") {
  const Scratch folder;
  const Run run = small_run();
  const Published published = small_published();
  write_report_md(folder / "report.md", run, figures_of(run, published.figures), published);
  const std::string text = content_of(folder / "report.md");
  for (const char* expected :
       {"# small: A run made up for a test\n", "| K32/snr/drift/0 | 5.879 | 5.800 (-0.01) |\n", "- K64/er/other = 1 (paper 83)\n",
        "- the &lt;difference&gt; (paper 84): Two records, not one.\n", "- 7.9 %: Of what?\n",
        "- arm K64, base null, seed 1: the loss is NaN<br>", "| library | OpenBLAS 0.3.21 |\n", "report.html"})
    CHECK_MESSAGE(text.find(expected) != std::string::npos, expected);
}

TEST_CASE("a file that cannot be written is named") {
  const Scratch folder;
  const RunReader reader = kept(small_run(), folder / "run.db");
  CHECK_THROWS_WITH_AS(write_records_csv(folder / "none/records.csv", {}, reader), doctest::Contains("none/records.csv"), Error);
}

TEST_CASE("report.md: nothing of a manifest or plugin becomes markup or another row") {
  const Scratch folder;
  Run run = small_run();
  const std::string nasty = "<img src=x onerror=alert(1)> | `a`\n| b & c \x1b[31m \r";
  run.title = nasty;
  Claim claim;
  claim.id = "k";
  claim.statement = nasty;
  claim.measure = "a";
  claim.predicts = "> 0";
  claim.published = Json::object({{"words", nasty}});
  JudgedClaim judged;
  judged.claim = &claim;
  judged.base = "null";
  judged.verdict.reason = nasty;
  run.claims = claims_json({judged});
  const Published published = small_published();
  write_report_md(folder / "report.md", run, figures_of(run, published.figures), published);
  const std::string text = content_of(folder / "report.md");
  for (const char* raw : {"<img", "`a`", "\n| b &", "\x1b", "\r", " | \\`", "c \\x1b"})
    CHECK_MESSAGE(text.find(raw) == std::string::npos, std::string(raw));
  CHECK(text.find("&lt;img src=x onerror=alert(1)&gt; \\| \\`a\\`<br>\\| b &amp; c \\\\x1b\\[31m \\\\x0d") != std::string::npos);
  const std::string table = claim_table(run.claims, 80);
  CHECK(table.find("<img") != std::string::npos);  // on a terminal it is text anyway; control characters fall where it is printed
}

TEST_CASE("the reasoning of a claim that chose an arm, and of one whose noise is a shuffle") {
  Claim claim;
  claim.id = "k", claim.measure = "spearman(a, b) + best", claim.predicts = "> 0";
  claim.let = {
      {"a", {"K32/er/matrix/*"}}, {"b", {"K64/cut/*"}}, {"best", {"K1/loss/final", "K2/loss/final"}, {"K1/x/y", "K2/x/y"}}};
  claim.permute = {"b"};
  JudgedClaim judged;
  judged.claim = &claim;
  judged.base = "null";
  judged.choices = {"best is of K2, one of 2, by the mean of x/y over seeds"};
  judged.null = Band{0, -0.5, 0.5};
  const std::string text = claim_reasoning(claims_json({judged}).as_list()[0], 160);
  INFO(text);
  for (const char* expected :
       {"a = K32/er/matrix/*\n", "best = one of K1/loss/final, K2/loss/final, by the least mean of K1/x/y, K2/x/y\n",
        "best is of K2, one of 2, by the mean of x/y over seeds\n", "with shuffled b"})
    CHECK_MESSAGE(text.find(expected) != std::string::npos, expected);
}

TEST_CASE("the end of a run on several bases: what a screen has no room for goes, bases never") {
  Run run;
  run.experiment = "small";
  std::vector<PublishedFigure> figures;
  Json::List claims;
  for (const char* base : {"one-of-the-bases", "another-of-them", "the-last-of-them"}) {
    for (std::uint64_t seed = 0; seed < 3; ++seed) run.trials.push_back(trial(base, "K32", seed, {}));
    claims.push_back(Json::object({{"id", "a-claim"},
                                   {"base", base},
                                   {"verdict", "explained by noise"},
                                   {"estimate", 1.5},
                                   {"published", Json::object({{"value", 0.948}, {"words", "words that take some room"}})}}));
  }
  run.claims = claims;
  const Published published{{{"K32/loss/base", 7.84, "7.84", "", ""}, {"K32/loss/final", 6.8191, "6.8191", "", ""}}, {}};
  const auto lines = [&](std::size_t width) {
    const std::string text = ending(run, published, {width, 0});
    std::vector<std::string> found;
    for (const char* begin : {"\n  a-claim", "\n  K32/loss/final", "\n  the-last-of-them"}) {
      const std::size_t at = text.find(begin);
      REQUIRE_MESSAGE(at != std::string::npos, text);
      found.push_back(text.substr(at + 1, text.find('\n', at + 1) - at - 1));
    }
    return found;
  };
  CHECK(lines(200)[0].find("0.948, words that take some room  explained by noise  1.500  explained by noise  1.500") !=
        std::string::npos);
  CHECK(lines(200)[1].find("6.8191  6.8750 (6.5645 .. 7.1855)  6.8750 (6.5645 .. 7.1855)  6.8750 (6.5645 .. 7.1855)") !=
        std::string::npos);
  CHECK(lines(98)[0].find("0.948  explained by noise  1.500  explained by noise  1.500  explained by noise  1.500") !=
        std::string::npos);
  CHECK(lines(88)[0].find("a-claim  explained by noise  explained by noise  explained by noise") != std::string::npos);
  CHECK(lines(88)[1].find("6.8191  6.8750 ±0.3105    6.8750 ±0.3105   6.8750 ±0.3105") != std::string::npos);
  CHECK(lines(72)[1].find("6.8191  6.8750            6.8750           6.8750") != std::string::npos);
  CHECK(lines(100)[2].starts_with("  the-last-of-them                 0.011 (-0.007 .. 0.028)  2        0.0"));
}

TEST_CASE("the end of a run: verdicts first, then published figures, within any screen") {
  Run run = small_run();
  run.folder = "runs/small/0123456789abcdef";
  run.bases = {{"null", 0, "h", "57 steps", ""}};
  Json::List claims;
  for (int i = 0; i < 20; ++i)
    claims.push_back(Json::object({{"id", "claim-" + std::to_string(i)},
                                   {"base", "null"},
                                   {"verdict", i == 1 ? "post hoc" : "falsified"},
                                   {"would_be", i == 1 ? Json("confirmed") : Json()},
                                   {"estimate", 1.5},
                                   {"look", i == 2 ? Json(3) : Json()},
                                   {"published", Json::object({{"value", 0.948}, {"words", "supported"}})}}));
  run.claims = claims;
  const std::string all = ending(run, small_published(), {100, 0});
  CHECK(all.find("pictures: runs/small/0123456789abcdef/report.html\n") != std::string::npos);
  CHECK(ending(run, small_published(), {100, 0, false}).find("report.html") == std::string::npos);
  INFO(all);
  for (const char* expected :
       {"small: A run made up for a test\n5 trials: 3 run, 1 from the cache, 1 failed, openblas",
        "\n  claim-0   0.948, supported  falsified  1.500\n", "\n  claim-1   0.948, supported  post hoc, confirmed  1.500\n",
        "\n  claim-2   0.948, supported  falsified (look 3)  1.500\n",
        "\n  K32/loss/final   6.8191    6.8750 (6.5645 .. 7.1855)\n", "failed: arm K64, base null, seed 1: the loss is NaN\n",
        "null/K32/grad/var/0 is NaN", "base null: 57 steps\n", "khost claims runs/small/",
        "run folder: runs/small/0123456789abcdef\n"})
    CHECK_MESSAGE(all.find(expected) != std::string::npos, expected);
  CHECK(all.find("claim-0 ") < all.find("K32/loss/final"));
  CHECK(verdict_counts(run.claims) == "19 falsified, 1 post hoc");

  for (const std::size_t rows : {23u, 24u, 30u, 50u})
    for (const std::size_t width : {60u, 80u, 120u}) {
      const std::string some = ending(run, small_published(), {width, rows});
      CAPTURE(some);
      const std::vector<std::string> lines = lines_of(some);
      std::size_t taken = 0;
      for (const std::string& line : lines) {
        taken += std::max<std::size_t>(1, (columns(line) + width - 1) / width);
        if (line.find("runs/small") == std::string::npos) CHECK_MESSAGE(columns(line) <= width, line);
      }
      CHECK(taken < rows);
      CHECK(some.find("claim-0 ") != std::string::npos);
      CHECK(some.find("run folder: ") != std::string::npos);
      CHECK((some.find(" more: khost claims ") != std::string::npos) == (rows < 50));
    }
}
