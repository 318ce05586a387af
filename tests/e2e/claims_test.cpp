// Claims, their verdicts, and experiments in series, as the program answers with them.

#include <doctest/doctest.h>

#include <cmath>

#include "e2e/khost_program.hpp"
#include "khost/json.hpp"

using namespace khost;
using namespace khost::test;

namespace {

std::string claims(const std::string& predicts) {
  return R"("seeds": 6, "probes": [{"plugin": "effective_rank"}], "claims": [
    {"id": "b-wins", "statement": "B ends lower", "let": {"a": "A/loss/final", "b": "B/loss/final"}, "measure": "b - a", "predicts": ")" +
         predicts + R"(", "margin": 1e-6, "published": {"value": -0.7, "words": "supported"}},
    {"id": "rank", "let": {"er": "B/effective_rank/in_basis"}, "measure": "er / 7", "predicts": "< 0.99", "margin": 0.001}])";
}

// Without the breaks of lines.
std::string unwrapped(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (const bool space = c == ' ' || c == '\n'; !space || out.empty() || out.back() != ' ') out += space ? ' ' : c;
  return out;
}

std::string claim_manifest(const Khost& khost, const std::string& predicts, const std::string& name = "small.manifest") {
  const std::string path = khost.manifest(claims(predicts), name);
  std::string text = read(path);
  text.erase(text.find(R"("seeds": 2,)"), 11);
  write(path, text);
  return path;
}

}  // namespace

TEST_CASE("claims have verdicts in the table, the summary and the report, and their reasoning on request") {
  const Khost khost;
  const Finished o = khost({claim_manifest(khost, "< 0"), "--out", "run"});
  INFO(o.err, o.out);
  REQUIRE(o.code == 0);
  CHECK(has(o.out, "  b-wins  -0.7, supported  confirmed  -"));  // a claim a line
  CHECK(has(o.out, "  rank                     explained by noise  "));
  CHECK(has(o.out, "noise gives"));
  const Json summary = parse_json_file(khost.scratch / "run/summary.json");
  const Json::List& all = summary.at("claims").as_list();
  REQUIRE(all.size() == 2);
  CHECK(all[0].at("verdict").as_string() == "confirmed");
  CHECK(all[0].at("values").as_list().size() == 6);
  CHECK(all[0].at("without_null").as_list().size() == 2);
  CHECK(all[0].at("null_share").is_null());
  // Noise has an effective rank of about 0.76 K in K dims, so that "below 0.99 K" says nothing of the model.
  CHECK(all[1].at("verdict").as_string() == "explained by noise");
  CHECK(all[1].at("null_share").as_number() > 0.99);
  const Json& record = summary.at("records").at("plain/B/effective_rank/in_basis");
  CHECK(record.at("null").at("mean").as_number() == doctest::Approx(0.78 * 7).epsilon(0.03));

  const Finished listed = khost({"claims", "run"}), one = khost({"claims", "run", "rank"}),
                 wrong = khost({"claims", "run", "ranks"});
  CHECK(has(listed.out, "confirmed"));
  CHECK(has(listed.out, "b-wins: B ends lower (b - a < 0, margin 1e-06). Paper: -0.7, supported"));
  CHECK(has(one.out, "explained by noise"));
  CHECK(has(one.out, "by seed"));
  CHECK(has(unwrapped(one.out), "prediction < 0.99, margin 0.001, in dims; as hashed: "));
  CHECK(has(unwrapped(one.out), " UTC by " + khost.scratch / "small.manifest"));
  CHECK(has(unwrapped(one.out), "1 at this claim's data, which has 80 % of the level 5 %"));
  CHECK(has(unwrapped(one.out), "% of replicates of noise alone reach 'confirmed'"));
  CHECK(wrong.code == 2);
  CHECK(has(wrong.err, "did you mean 'rank'?"));
  CHECK(has(read(khost.scratch / "run/report.md"), "**confirmed**"));
}

TEST_CASE("a series runs its experiments one after the other, shares what is equal, and ends in its claims") {
  const Khost khost;
  claim_manifest(khost, "< 0", "one.manifest");
  claim_manifest(khost, "< 0", "two.manifest");
  std::string second = read(khost.scratch / "two.manifest");
  second.replace(second.find("\"small\""), 7, "\"other\"");
  second.replace(second.find(R"("B": {"adapter": {"rank": 7}})"), 29,
                 R"("B": {"adapter": {"rank": 7}}, "C": {"adapter": {"rank": 3}})");
  write(khost.scratch / "two.manifest", second);
  write(khost.scratch / "all.manifest",
        R"({"khost": 1, "experiment": "all", "title": "Both", "series": ["one.manifest", "two.manifest"]})");
  const Finished plan = khost({"plan", "all.manifest"});
  INFO(plan.err, plan.out);
  CHECK(plan.code == 0);
  CHECK(has(plan.out, "12 computed by an experiment before"));
  CHECK(has(plan.out, "2 experiments: about"));
  const Finished o = khost({"run", "all.manifest", "--out", "all"});
  INFO(o.err, o.out);
  REQUIRE(o.code == 0);
  CHECK(has(o.out, "2 experiments, 30 trials"));
  CHECK(has(o.out, "  other     18      12  "));
  CHECK(has(o.out, "1 confirmed, 1 explained by noise"));
  CHECK(parse_json_file(khost.scratch / "all/other/summary.json").at("trials").as_list().size() == 18);
  const std::string table = read(khost.scratch / "all/claims.md");
  CHECK(has(table, "| small | b-wins | B ends lower | -0.7, supported | **confirmed**"));
  CHECK(has(table, "| other | rank |"));

  // A mistake in the last costs nothing.
  write(khost.scratch / "two.manifest", "{\"khost\": 1}");
  const Finished bad = khost({"run", "all.manifest", "--out", "bad"});
  CHECK(bad.code == 2);
  CHECK_FALSE(std::filesystem::exists(khost.scratch / "bad"));
}
