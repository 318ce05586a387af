// report.html and the pictures in it.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "artifact/share.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "page/claims.hpp"
#include "page/html.hpp"
#include "page/picture_data.hpp"
#include "page/pictures.hpp"
#include "page/run_page.hpp"
#include "page/series_page.hpp"
#include "page/steps.hpp"
#include "unit/scratch.hpp"
#include "unit/small_run.hpp"
#include "unit/text_file.hpp"

namespace fs = std::filesystem;

namespace {

const std::string nasty = "<img src=x onerror=alert(1)></script><!-- \"q\" & {{body}} \x1b[31m";

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

const Picture* find(const std::vector<Picture>& pictures, const std::string& id) {
  const auto found = std::ranges::find(pictures, id, &Picture::id);
  return found == pictures.end() ? nullptr : &*found;
}

// Of a run as its run.db gives it back.
struct Pictured {
  Pictured(Run given, const std::vector<PictureSpec>& specs)
      : reader(kept(given, folder / "run.db")), run(reader.run()), bases(figures_of(run, published.figures)) {
    pictures = pictures_of(run, reader, bases, specs, left_out);
  }
  const Picture* operator()(const std::string& id) const { return find(pictures, id); }

  Scratch folder;
  Published published = small_published();
  RunReader reader;
  Run run;
  std::vector<BaseFigures> bases;
  std::vector<std::string> left_out;
  std::vector<Picture> pictures;
};

Json specs_json(const std::string& text) { return parse_json(text, "pictures.json"); }

Run run_of_ranks() {
  Run run = small_run();
  run.trials.clear();
  run.manifest = R"({"arms": {"K8": {"adapter": {"rank": 8}}, "K32": {"adapter": {"rank": 32}}, "none": {"adapter": null}}})";
  for (const char* base : {"null", "trained"})
    for (const char* arm : {"K8", "K32", "none"})
      for (std::uint64_t seed = 0; seed < 3; ++seed) {
        std::vector<Record> records{{"p", "whole", -1, 2.0 + static_cast<double>(seed), "1"}};
        for (const int k : {2, 16, 4})
          for (const char* name : {"keep", "random"})
            records.push_back({"p", name + std::to_string(k), -1, 1.0 * k + static_cast<double>(seed), "nats"});
        for (std::int64_t step = 0; step < 5; ++step)
          records.push_back({"p", "along", step, static_cast<double>(step) + 0.5 * static_cast<double>(seed), "1"});
        records.push_back({"p", "ratio", -1, 3, "1"});
        records.push_back({"p", "of/0", -1, 1, "1"});
        records.push_back({"p", "cell/a/3", -1, 1, "1"});
        run.trials.push_back(trial(base, arm, seed, records));
      }
  run.definitions = {{"p", "keep<k>", "nats", "d", {}, "p"},     {"p", "random<k>", "nats", "d", {}, "p"},
                     {"p", "whole", "1", "d", {}, "p"},          {"p", "along", "1", "d", {}, "p"},
                     {"p", "of/<g>", "1", "d", {}, "p"},         {"p", "ratio", "1", "d", {}, "p"},
                     {"p", "cell/<name>/<l>", "1", "d", {}, "p"}};
  return run;
}

}  // namespace

TEST_CASE("names that fit a pattern give what its placeholders stand for") {
  CHECK(placeholders_in("keep<k>", "keep32") == Placeholders{{"k", "32"}});
  CHECK(placeholders_in("<basis>/diagonal/k<K>/step<s>", "svd/diagonal/k8/step40") ==
        Placeholders{{"basis", "svd"}, {"K", "8"}, {"s", "40"}});
  CHECK(placeholders_in("layer<l>/k", "layer3/k") == Placeholders{{"l", "3"}});
  CHECK(placeholders_in("<a>b", "bbb") == Placeholders{{"a", "bb"}});
  CHECK(placeholders_in("mean", "mean") == Placeholders{});
  for (const auto& [pattern, name] :
       {std::pair("keep<k>", "keep"), {"keep<k>", "keep2/x"}, {"mean", "means"}, {"means", "mean"}, {"<a>", ""}})
    CHECK_MESSAGE(!placeholders_in(pattern, name), pattern);
}

TEST_CASE("picture specs: a plugin's own names, and what is wrong with its place") {
  const auto specs =
      read_picture_specs(specs_json(
                             R"([{"id": "a", "title": "T", "records": {"x": "keep<k>", "y": "/grad/mean/<k>"}, "x": "k",
                      "references": [{"label": "r", "points": [[1, 2], [3, 4]]}]}])"),
                         "cut", "ablation");
  REQUIRE(specs.size() == 1);
  CHECK(specs[0].id == "cut-a");
  CHECK(specs[0].section == "cut");
  CHECK(specs[0].records[0].pattern == "cut/keep<k>");
  CHECK(specs[0].records[1].pattern == "cut/grad/mean/<k>");  // an instance with a name of its own keeps it to itself
  CHECK(specs[0].references[0].points[1] == std::pair(3.0, 4.0));
  CHECK(read_picture_specs(specs_json(R"([{"id": "a", "title": "T", "records": ["/grad/x"]}])"), "snr", "snr")[0]
            .records[0]
            .pattern == "grad/x");
  for (const auto& [text, expected] :
       {std::pair(R"([{"id": "a", "title": "T", "records": ["x"], "fom": "dots"}])", "a picture has no key 'fom'"),
        {R"([{"id": "a", "title": "T", "records": ["x"], "form": "dot"}])", "no form 'dot'"},
        {R"([{"id": "A b", "title": "T", "records": ["x"]}])", "found 'A b'"},
        {R"([{"id": "a", "title": "T"}])", "records"},
        {R"([{"id": "a", "title": "T", "records": []}])", "needs a record"},
        {R"([{"id": "a", "title": "T", "records": ["keep<k"]}])", "no record can be called 'keep<k'"},
        {R"([{"id": "a", "title": "T", "records": ["keep<k>"], "x": "kk"}])", "'kk' is no placeholder of 'p/keep<k>'"},
        {R"([{"id": "a", "title": "T", "records": ["keep<k>"], "x": "k", "where": {"k": "last"}}])", "cannot be held too"},
        {R"([{"id": "a", "title": "T", "records": ["keep<k>"], "x": "k", "where": {"s": "last"}}])", "'s' is no placeholder"},
        {R"([{"id": "a", "title": "T", "records": ["x"], "references": [{"label": "r", "points": [[1]]}]}])", "expected [x, y]"}})
    CHECK_THROWS_WITH_AS(read_picture_specs(specs_json(text), "p", "p"), doctest::Contains(expected), Error);
}

TEST_CASE("khost's own picture specs, and those of its plugins, can be read") {
  CHECK(read_picture_specs(parse_json_file(share_file("report/pictures.json")), "", "").size() >= 4);
  int plugins = 0;
  for (const auto& entry : fs::recursive_directory_iterator(KHOST_SOURCE_DIR "/plugins"))
    if (entry.path().filename() == "pictures.json") {
      const std::string name = entry.path().parent_path().filename();
      CHECK(!read_picture_specs(parse_json_file(entry.path()), name, name).empty());
      ++plugins;
    }
  CHECK(plugins >= 9);
}

TEST_CASE("pictures that are asked for: what tells rows apart has colours first, then panels") {
  const auto specs = read_picture_specs(specs_json(R"([
    {"id": "cut", "title": "Cut", "records": {"leading": "keep<k>", "random": "random<k>"}, "x": "k"},
    {"id": "by-rank", "title": "By K", "records": ["whole"], "x": "rank", "x_log": true},
    {"id": "moved", "title": "Moved", "records": ["whole"], "x": "p/ratio"}])"),
                                        "p", "p");
  const Pictured of(run_of_ranks(), specs);
  const Picture* cut = of("p-cut");
  REQUIRE(cut);
  CHECK(cut->x_numeric);
  CHECK(cut->series() == std::vector<std::string>{"leading", "random"});
  CHECK(cut->panels().size() == 6);  // bases x arms
  CHECK(cut->panels()[0] == "null · K8");
  REQUIRE(cut->rows.size() == 2 * 3 * 3 * 2);
  CHECK(cut->rows[0].x == 2);  // sorted
  CHECK(cut->rows[2].x == 16);
  CHECK(cut->rows[2].y.mean == 17);
  CHECK(cut->rows[2].y.n == 3);
  CHECK(cut->rows[0].record == "null/K8/p/keep2");
  const Picture* rank = of("p-by-rank");
  REQUIRE(rank);
  CHECK(rank->series() == std::vector<std::string>{"K*"});  // of one family
  CHECK(rank->panels() == std::vector<std::string>{"null", "trained"});
  CHECK(rank->rows.size() == 4);
  CHECK(rank->notes == std::vector<std::string>{"Without a K, and so not drawn: none."});
  CHECK(rank->rows[1].x == 32);
  const Picture* moved = of("p-moved");
  REQUIRE(moved);
  CHECK(moved->rows[0].x == 3);
  CHECK(moved->series() == std::vector<std::string>{"K8", "K32", "none"});
}

TEST_CASE("records that nobody asked a picture for have one by their shape") {
  const Pictured of(run_of_ranks(), {});
  const Picture* whole = of("p-whole");
  REQUIRE(whole);
  CHECK(whole->form == "dots");
  CHECK(whole->rows.size() == 6);
  CHECK(whole->rows[1].at == "K32");
  CHECK(!whole->further);
  const Picture* keep = of("p-keep-k");
  REQUIRE(keep);
  CHECK(keep->form == "lines");
  CHECK(keep->series().size() == 3);
  const Picture* along = of("p-along-steps");
  REQUIRE(along);
  CHECK(along->form == "steps");
  CHECK(along->rows.size() == 2 * 3 * 5);
  CHECK(along->rows[3].y.mean == 3.5);
  CHECK(!of("p-along"));
  REQUIRE(of("p-of-g"));
  CHECK(of("p-of-g")->rows.size() == 6);  // p/ratio is declared on its own
  REQUIRE(of("time"));
  CHECK(of("time")->rows[0].y.mean == 6);  // three seeds of 2 s
}

TEST_CASE("a placeholder that is not shown is held at one value") {
  Run run = small_run();
  run.trials = {
      trial("null", "A", 0, {{"p", "k8/step1", -1, 1, "1"}, {"p", "k8/step40", -1, 2, "1"}, {"p", "k16/step40", -1, 3, "1"}})};
  const auto of_step = [&](const std::string& step) {
    const Pictured of(
        run,
        read_picture_specs(specs_json(R"([{"id": "a", "title": "T", "records": ["k<K>/step<s>"], "x": "K", "where": {"s": ")" +
                                      step + R"("}}])"),
                           "p", "p"));
    const Picture* picture = of("p-a");
    std::vector<double> values;
    if (picture)
      for (const PictureRow& row : picture->rows) values.push_back(row.y.mean);
    return values;
  };
  CHECK(of_step("last") == std::vector<double>{2, 3});
  CHECK(of_step("1") == std::vector<double>{1});
  CHECK(of_step("7").empty());
}

TEST_CASE("an arm stands at the K that its matrices had, not at the one that its policy began with") {
  Run run = small_run();
  run.trials.clear();
  run.manifest =
      R"({"arms": {"K8": {"adapter": {"rank": 8}}, "K16": {"adapter": {"rank": 16}}, "asc-2-8": {"adapter": {"rank": 8}},
                     "lr0.16-K16": {"adapter": {"rank": 16}}, "adaptive": {"adapter": {"rank": 16}}}})";
  const auto add = [&](const std::string& arm, double parameters, double mean) {
    TrialResult t;
    t.key = {arm, "null", 0, 0}, t.status = "done";
    for (const auto& [name, value] : {std::pair("adapter", parameters), {"adapter_mean", mean}})
      t.add({"parameters", name, -1, value, "parameters"});
    t.add({"loss", "final", -1, 7, "nats"});
    run.trials.push_back(t);
  };
  add("K8", 8000, 8000), add("K16", 16000, 16000), add("asc-2-8", 8000, 5000), add("lr0.16-K16", 16000, 16000);
  add("adaptive", 12500, 12500);
  const Pictured of(
      run, read_picture_specs(
               specs_json(R"([{"id": "a", "section": "s", "title": "T", "records": ["loss/final"], "x": "rank"}])"), "", ""));
  const Picture* picture = of("a");
  REQUIRE(picture);
  std::map<std::string, std::vector<double>> seen;
  for (const PictureRow& row : picture->rows) seen[row.series].push_back(row.x);
  CHECK(seen ==
        std::map<std::string, std::vector<double>>{{"K*", {8, 16}}, {"asc-2-8", {5}}, {"lr0.16-K*", {16}}, {"adaptive", {12.5}}});
}

TEST_CASE("what cannot be drawn is said: no finite figure, a logarithm of nothing, steps of other arms") {
  Run run = small_run();
  run.trials = {trial("null", "A", 0, {{"p", "x", -1, absent, "1"}, {"p", "at2", -1, 1, "1"}, {"p", "at0", -1, 2, "1"}}),
                trial("null", "B", 0, {{"p", "at5", -1, 3, "1"}})};
  run.definitions = {{"p", "x", "1", "d", {}, "p"}, {"p", "at<k>", "1", "d", {}, "p"}};
  const Pictured of(run, read_picture_specs(specs_json(R"([
    {"id": "log", "title": "T", "records": ["at<k>"], "x": "k", "x_log": true},
    {"id": "last", "title": "T", "records": ["at<k>"], "x": "arm", "where": {"k": "last"}}])"),
                                            "p", "p"));
  REQUIRE(of("p-log"));
  CHECK(!of("p-log")->x_log);
  const Picture* last = of("p-last");
  REQUIRE(last);
  REQUIRE(last->rows.size() == 2);  // of each arm its own
  CHECK(last->rows[0].record == "null/A/p/at2");
  CHECK(last->rows[1].record == "null/B/p/at5");
  CHECK(last->notes == std::vector<std::string>{"Of <k> the last that an arm has is drawn; khost show has the others."});
  const Picture* none = of("p-x");
  REQUIRE(none);
  CHECK(!none->has_marks());
  CHECK(has(picture_html(*none, 0), "nothing to draw"));
  CHECK(!has(picture_html(*none, 0), "data-picture"));
  REQUIRE(of("loss-base"));  // the engine's own, too
}

TEST_CASE("a long series is thinned alike in all trials, and panels beyond a page's room are named") {
  Run run = small_run();
  run.trials.clear();
  for (std::uint64_t seed = 0; seed < 2; ++seed) {
    std::vector<Record> records;
    for (std::int64_t step = seed ? 1 : 0; step < (seed ? 700 : 1000); ++step)
      records.push_back({"p", "x", step, static_cast<double>(step), "1"});
    run.trials.push_back(trial("null", "A", seed, records));
  }
  const Scratch folder;
  const auto series = step_series(kept(run, folder / "run.db"));
  const auto x = std::ranges::find(series, "p/x", &StepSeries::label);
  REQUIRE(x != series.end());
  CHECK(x->stride == 8);
  CHECK(x->values.size() == 125);
  CHECK(x->values.at(8) == std::vector<double>{8, 8});
  CHECK(x->values.at(992) == std::vector<double>{992});

  run.trials.clear();
  for (int b = 0; b < 20; ++b) run.trials.push_back(trial("b" + std::to_string(b), "A", 0, {{"p", "x", -1, 1, "1"}}));
  run.definitions = {{"p", "x", "1", "", {}, "p"}};
  const Pictured of(run, {});
  REQUIRE(of("p-x"));
  CHECK(of("p-x")->panels().size() == 12);
  CHECK(of("p-x")->notes.back() == "The first 12 of 20 panels are drawn; khost show has all.");
}

TEST_CASE("the page has the verdicts, the figures beside the published ones, the trouble and how to have it again") {
  const Scratch folder;
  Run run = small_run();
  run.command = "khost x.manifest --out run";
  run.finished = "2026-11-28 02:40:11 UTC";
  run.manifest = "{}";
  run.definitions.push_back({"snr", "drift/<group>", "1", "mean|g| / sd(g) over the steps", "iid Gaussian gradients", "snr"});
  run.nulls[{"null", "K32"}]["snr/drift/0"] = {1, 0.05, 1.95};
  const RunReader reader = kept(run, folder / "run.db");
  const Published published = small_published();
  write_report_html(folder / "report.html", run, reader, figures_of(run, published.figures), published);
  const std::string page = content_of(folder / "report.html");
  for (const char* expected :
       {"<title>small: A run made up for a test</title>", "<h1>A run made up for a test</h1>", "khost x.manifest --out run",
        "mean 5.800, 95 % t interval 5.552 .. 6.048, 3 of 3 trials", "noise alone, 95 % of single trials: 0.050 .. 1.950",
        "by seed 0: 5.700, 1: 5.900, 2: 5.800", "published 5.879, paper 85, phase A", "Its text defines this loosely.",
        "seed 1 failed: the loss is NaN", "iid Gaussian gradients", "the &lt;difference&gt; (paper 84)"})
    CHECK_MESSAGE(has(page, expected), expected);
  CHECK(!has(page, "has not come to its end"));
  CHECK(!has(page, "sourceMappingURL"));
  run.finished = "";
  write_report_html(folder / "unfinished.html", run, reader, figures_of(run, published.figures), published);
  CHECK(has(content_of(folder / "unfinished.html"), "has not come to its end"));
}

TEST_CASE("nothing of a manifest, a plugin or a published file becomes markup or script") {
  const Scratch folder;
  Run run = small_run();
  run.title = run.experiment = run.command = nasty;
  run.manifest = "{}";
  run.trials.push_back(trial(nasty, nasty, 0, {{"p", nasty, -1, 1, nasty}}));
  run.trials.back().key.seed = 9;
  run.definitions.push_back({"p", "<any>", nasty, nasty, nasty, nasty});
  run.bases.push_back({nasty, 0, "00", nasty, ""});
  Published published = small_published();
  published.figures[0].note = published.figures[0].where = published.figures[0].printed = nasty;
  published.without_record = {{nasty, nasty, nasty}};
  Claim claim;
  claim.id = claim.statement = claim.measure = nasty, claim.predicts = "> 0";
  claim.published = Json::object({{"words", nasty}});
  JudgedClaim judged;
  judged.claim = &claim, judged.base = nasty, judged.verdict.reason = nasty;
  run.claims = claims_json({judged});
  const RunReader reader = kept(run, folder / "run.db");
  write_report_html(folder / "report.html", run, reader, figures_of(run, published.figures), published);
  write_series_html(folder / "claims.html", nasty, {{nasty, nasty, nasty, nasty, nasty, run.claims}});
  for (const char* file : {"report.html", "claims.html"}) {
    const std::string page = content_of(folder / file);
    CHECK(!has(page, "<img"));
    CHECK(!has(page, "\x1b"));
    CHECK(count(page, "<script") == count(page, "</script>"));
    CHECK(count(page, "</script>") == 6);
    CHECK(count(page, "<!-- ") == 1);  // the notice
    CHECK(has(page, "&lt;img src=x onerror=alert(1)&gt;&lt;/script&gt;&lt;!-- &quot;q&quot; &amp; {{body}} \\x1b[31m"));
  }
}

TEST_CASE("a picture's CSV file has its rows") {
  Picture picture{.id = "a"};
  PictureRow row{.panel = "null", .series = "a, b", .at = "2", .x = 2, .y = {3, 1.5, 1, 1, 2}, .noise = Band{0, -1, 1}};
  row.record = "null/A/p/x";
  picture.rows = {row};
  CHECK(picture_csv(picture) ==
        "panel,series,at,mean,low,high,level,n,noise,noise_low,noise_high,published,record\r\nnull,\"a, "
        "b\",2,1.5,1,2,0.95,3,0,-1,1,,null/A/p/x\r\n");
  CHECK(picture_id("../../etc/<x> y") == "etc-x-y");
  CHECK(picture_id("...") == "picture");
  CHECK(picture_id(std::string(400, 'x')).size() == 120);
  CHECK(url_path("../a b#c%/d-1.html") == "../a%20b%23c%25/d-1.html");
}

TEST_CASE("the charting library is the one that share/report/vega says") {
  const std::string readme = content_of(KHOST_SOURCE_DIR "/share/report/vega/README.md");
  for (const char* file : {"vega.min.js", "vega-lite.min.js"}) {
    const std::string sum = sha256_file(std::string(KHOST_SOURCE_DIR "/share/report/vega/") + file);
    CHECK_MESSAGE(has(readme, std::string("| ") + file + " | " + sum + " |"), file);
  }
}
