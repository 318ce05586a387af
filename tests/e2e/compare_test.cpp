// khost compare: backends, settings and runs of a small experiment side by side, and what scripts are told.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "e2e/khost_program.hpp"
#include "khost/json.hpp"

using namespace khost;
using namespace khost::test;

namespace {

constexpr int not_the_same = 6;

const char* claim =
    R"("claims": [{"id": "first", "statement": "A ends below B", "let": {"a": "A/loss/final", "b": "B/loss/final"},
  "measure": "a - b", "predicts": "< 0", "margin": 0.1}])";

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void refused(const Khost& khost, const std::vector<std::string>& words, const std::string& expected) {
  const Finished o = khost(words);
  CHECK(o.code == 2);
  CHECK(o.out.empty());
  CHECK_MESSAGE(has(o.err, expected), o.err);
}

}  // namespace

TEST_CASE("compare: two backends are the same within the tolerance, and are not bit for bit") {
  const Khost khost;
  const std::string manifest = khost.manifest(claim);
  REQUIRE(khost({manifest, "--backend", "openblas", "--out", "a"}).code == 0);
  REQUIRE(khost({manifest, "--backend", "reference", "--out", "b"}).code == 0);
  const Finished o = khost({"compare", "a", "b", "--check"});
  CHECK(o.err.empty());
  CHECK_MESSAGE(o.code == 0, o.out);
  CHECK_MESSAGE(first_line(o.out).starts_with("same within tolerance (rtol 0.0001): "), o.out);
  CHECK(has(o.out, " of 4 paired trials, "));
  CHECK(has(o.out, "Made with\n  backend: openblas against reference\n"));
  CHECK_FALSE(has(o.out, "The manifests differ"));
  CHECK_FALSE(has(o.out, "Paired arms differ"));

  // What is within the bound by default is not within none.
  const Finished strict = khost({"compare", "a", "b", "--rtol", "0", "--check"});
  CHECK(strict.code == not_the_same);
  CHECK_MESSAGE(has(first_line(strict.out), " differ (rtol 0), the largest: "), strict.out);
  CHECK(has(strict.out, "\nRecords that differ, second - first, the worst first:\n"));
  CHECK(khost({"compare", "a", "b", "--rtol", "0"}).code == 0);
  CHECK(khost({"compare", "a", "b", "--rtol", "0", "--atol", "1", "--check"}).code == 0);
}

TEST_CASE("compare: another setting is named, of a record that it changed the figures are right, and a page has all of it") {
  const Khost khost;
  const std::string manifest = khost.manifest(claim);
  REQUIRE(khost({manifest, "--out", "a"}).code == 0);
  REQUIRE(khost({manifest, "--set", "optimizer.lr=5e-2", "--out", "b"}).code == 0);
  const Finished o = khost({"compare", "a", "b", "--check", "--html", "page.html"});
  CHECK(o.code == not_the_same);
  CHECK(has(o.out, "The manifests differ in\n  optimizer.lr: 0.005 against 0.05\n"));
  CHECK(has(o.out, "Paired arms differ in\n  all arms: optimizer.config.lr: 0.005 against 0.05\n"));
  CHECK(has(o.out, "all of it: page.html, or --json"));
  const std::string page = read(khost.scratch / "page.html");
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(has(page, "plain/A/loss/final"));
  CHECK(has(page, "optimizer.config.lr"));

  const Json json = parse_json(khost({"compare", "a", "b", "--json"}).out, "compare");
  REQUIRE(json.as_list().size() == 1);
  const Json& comparison = json.as_list()[0];
  CHECK(comparison.at("answer").as_string() == "differs");
  CHECK(comparison.at("text").as_string() == first_line(o.out));
  const auto value = [&](const char* run, int seed) {
    const Json shown = parse_json(khost({"show", run, "A/loss/final", "--seed", std::to_string(seed), "--json"}).out, "show");
    return shown.as_list()[0].at("trials").as_list()[0].at("value").as_number();
  };
  const double difference = (value("b", 0) - value("a", 0) + value("b", 1) - value("a", 1)) / 2;
  const auto& records = comparison.at("records").as_list();
  const auto loss =
      std::ranges::find_if(records, [](const Json& r) { return r.at("record").as_string() == "plain/A/loss/final"; });
  REQUIRE(loss != records.end());
  CHECK(loss->at("difference").at("mean").as_number() == doctest::Approx(difference));
  CHECK(std::abs(difference) > 1e-3);
  const auto curve =
      std::ranges::find_if(records, [](const Json& r) { return r.at("record").as_string() == "plain/A/loss/train"; });
  REQUIRE(curve != records.end());
  CHECK(curve->at("points").as_integer() == 10);
  CHECK(curve->at("first_outside").at("step").as_integer() == 1);  // before the first update nothing can differ
}

TEST_CASE("compare: seeds and arms of one run alone, a run with itself, several runs, arms by other names") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  REQUIRE(khost({manifest, "--out", "a"}).code == 0);
  REQUIRE(khost({manifest, "--seeds", "1", "--out", "b"}).code == 0);

  const Finished self = khost({"compare", "a", "a", "--check"});
  CHECK(self.code == 0);
  CHECK(first_line(self.out).starts_with("same bit for bit: "));
  CHECK(has(self.out, "note: both are the same folder: the run is compared with itself\n"));

  const Finished fewer = khost({"compare", "a", "b", "--check"});
  CHECK(fewer.code == not_the_same);
  CHECK(has(first_line(fewer.out), " of 2 paired trials; what one of them has alone is named below"));
  CHECK_MESSAGE(has(fewer.out, "has alone: seed 1 of all arms\n"), fewer.out);
  CHECK(has(fewer.out, "2 paired trials; each is the same one by its hash\n"));

  const Finished three = khost({"compare", "a", "a", "b"});
  CHECK(three.code == 0);
  CHECK(first_line(three.out).starts_with("a: same bit for bit"));
  CHECK(has(three.out, "\nb: same bit for bit"));
  CHECK(khost({"compare", "a", "a", "b", "--check"}).code == not_the_same);  // all have to be the same

  const Finished arms = khost({"compare", "a", "a", "--arms", "A=B"});
  CHECK(arms.code == 0);
  CHECK_MESSAGE(has(arms.out, "A=B: adapter.rank: 5 against 7\n"), arms.out);
  CHECK(has(arms.out, "plain/A=B/loss/final"));
}

TEST_CASE("compare: what cannot be compared is refused with what to do") {
  const Khost khost;
  REQUIRE(khost({khost.manifest(), "--out", "a"}).code == 0);
  refused(khost, {"compare", "a"}, "compare needs RUN: ");
  refused(khost, {"compare"}, "usage: khost compare RUN RUN [RUN...] [OPTION]...");
  refused(khost, {"compare", "a", "nowhere"}, "there is no run in 'nowhere'");
  write(khost.scratch / "text", "not a database");
  refused(khost, {"compare", "a", "text"}, "text");
  refused(khost, {"compare", "a", "a", "--rtol", "-1"}, "--rtol takes a number from 0 on, found '-1'");
  refused(khost, {"compare", "a", "a", "--atol", "much"}, "--atol takes a number from 0 on, found 'much'");
  refused(khost, {"compare", "a", "a", "--arms", "A"}, "--arms takes A=B");
  refused(khost, {"compare", "a", "a", "--arms", "A=A", "--arms", "A=B"}, "--arms pairs 'A' twice");
  refused(khost, {"compare", "a", "a", "--arms", "C=A"}, "the first run has no arm 'C'");
  refused(khost, {"compare", "a", "a", "--html", "no/such/folder/page.html"}, "no/such/folder/page.html");
}
