// Good manifests: defaults, patches, overlays, settings, and that the resolved manifest is a manifest.
#include <algorithm>
#include <random>

#include "manifest/claims.hpp"
#include "manifest/measure.hpp"
#include "manifest/record_path.hpp"
#include "message.hpp"
#include "unit/manifest_fixture.hpp"

using namespace khost;
using khost::test::complaint;
using khost::test::Folder;
using khost::test::good;
using khost::test::read;
using khost::test::replaced;

TEST_CASE("manifest: a good one, resolved") {
  const Folder folder;
  const Experiment e = read(folder.write("m", good));
  CHECK(e.name == "small");
  CHECK(e.seeds == std::vector<std::uint64_t>{0, 1, 2});
  CHECK(e.folder == folder.path.string());
  REQUIRE(e.warnings.size() == 1);
  CHECK(e.warnings[0].find("claim 'noise' predicts a bare number") != std::string::npos);
  REQUIRE(e.arms.size() == 4);
  CHECK(e.arms[0].adapter->rank.as_integer() == 8);
  CHECK(e.arms[0].adapter->basis == "svd");
  CHECK(e.arms[0].steps == 5);
  CHECK(e.arms[0].probes.size() == 2);
  CHECK(e.arms[0].probes[1].name == "cut");
  CHECK(e.arms[0].probes[1].plugin == "ablation");
  CHECK(e.arms[1].adapter->rank.as_integer() == 16);
  CHECK(e.arms[1].steps == 7);
  CHECK(e.arms[2].data.batch == 2);
  CHECK(e.arms[2].data.sequence == 16);
  REQUIRE(e.arms[2].probes.size() == 2);
  CHECK(e.arms[2].probes[0].name == "cut");
  CHECK(e.arms[2].probes[1].config.text() == R"({"rate":0.1})");
  CHECK(e.arms[3].optimizer.config.text() == R"({"lr":0.1})");
  REQUIRE(e.bases.size() == 2);
  CHECK(e.bases[0].steps == 0);
  CHECK(e.bases[1].steps == 2000);
  CHECK(e.bases[1].until_loss == 7.5);
  CHECK(e.bases[1].data.source.config.text() == R"({"corpus":"wordnet","vocab":1000})");
  CHECK(e.bases[1].data.batch == 16);
  CHECK(e.bases[1].data.fresh);
  CHECK_FALSE(e.data.fresh);
  CHECK(e.bases[1].optimizer.config.text() == R"({"lr":0.001,"weight_decay":0.0,"warmup":5})");
  CHECK(e.claims[0].let[1].paths == std::vector<std::string>{"@trained/K8/loss/final"});
  CHECK(
      e.resolved.at("arms").at("K8-drop0.1").text() ==
      R"({"model":{"plugin":"gpt","d_model":32,"n_layer":2,"head":"tied"},)"
      R"("data":{"plugin":"text","corpus":"kjv","vocab":1000,"sequence":16,"batch":2,"reuse":"fixed","held_out_windows":16,"calibration_windows":16},)"
      R"("optimizer":{"plugin":"adam","lr":0.005,"weight_decay":0.0,"warmup":0},)"
      R"("adapter":{"basis":"svd","core":"diagonal","rank":8},"train":[],"steps":5,"record_at":[],"needs":[],)"
      R"("probes!":[{"plugin":"ablation","as":"cut"},{"plugin":"alpha_dropout","rate":0.1}]})");
  CHECK(
      e.resolved.at("bases").at("init").text() ==
      R"({"model":{"plugin":"gpt","d_model":32,"n_layer":2,"head":"tied"},"train":[],"steps":0,)"
      R"("data":{"plugin":"text","corpus":"kjv","vocab":1000,"sequence":16,"batch":1,"reuse":"fresh","held_out_windows":16,"calibration_windows":16},)"
      R"("optimizer":{"plugin":"adam","lr":0.005,"weight_decay":0.0,"warmup":0},"base_seed":0,"base_draws":1})");
}

TEST_CASE("manifest: the resolved manifest is a manifest that resolves to itself") {
  const Folder folder;
  const Json first = read(folder.write("m", good)).resolved;
  const Experiment again = read(folder.write("again", first.pretty()));
  CHECK(again.resolved.pretty() == first.pretty());
  CHECK(again.arms.size() == 4);
}

TEST_CASE("manifest: the least there can be") {
  const Folder folder;
  const Experiment e = read(folder.write(
      "m",
      R"({"khost": 1, "experiment": "x", "data": {"plugin": "synthetic"}, "model": {"plugin": "gpt"}, "bases": {"init": {"steps": 0}}, "arms": {"a": {}}})"));
  CHECK(e.seeds.size() == 10);
  CHECK(e.arms[0].steps == 40);
  CHECK(e.arms[0].optimizer.plugin == "adam");
  CHECK(e.arms[0].optimizer.config.at("lr").as_number() == 5e-3);
  CHECK(e.arms[0].adapter->rank.as_integer() == 32);
  CHECK(e.data.sequence == 127);
  CHECK_FALSE(e.compute);
  CHECK(e.resolved.at("adapter").text() == R"({"basis":"svd","core":"diagonal","rank":32})");
}

TEST_CASE("manifest: an arm without adapter, an arm with probes of its own only") {
  const Folder folder;
  std::string text = replaced(good, R"({"plugin": "ablation", "as": "cut"})", R"({"plugin": "losses"})");
  text = replaced(text, R"("sgd": {)", R"("full": {"adapter": null}, "own": {"probes!": [{"plugin": "ablation"}]}, "sgd": {)");
  const Experiment e = read(folder.write("m", text));
  CHECK_FALSE(e.arms[3].adapter);
  CHECK(e.arms[4].probes.size() == 1);
  CHECK(e.arms[4].probes[0].name == "ablation");
  CHECK(e.resolved.at("arms").at("full").at("adapter").is_null());
}

TEST_CASE("manifest: an experiment without adapter, but for one arm") {
  const Folder folder;
  const std::string text =
      R"({"khost": 1, "experiment": "x", "data": {"plugin": "synthetic"}, "model": {"plugin": "gpt"}, "adapter": null,
    "bases": {"init": {"steps": 0}}, "arms": {"none": {}, "K4": {"adapter": {"rank": 4}}}})";
  const Experiment e = read(folder.write("m", text));
  CHECK_FALSE(e.arms[0].adapter);
  CHECK(e.arms[1].adapter->rank.as_integer() == 4);
  CHECK(e.arms[1].adapter->basis == "svd");
}

TEST_CASE("manifest: another plugin begins anew, but for the host's keys") {
  const Folder folder;
  const std::string text = replaced(good, R"("sgd": {)", R"("syn": {"data": {"plugin": "synthetic"}}, "sgd": {)");
  const Experiment e = read(folder.write("m", text));
  CHECK(e.arms[3].data.source.config.text() == R"({"vocab":50})");
  CHECK(e.arms[3].data.sequence == 16);
}

TEST_CASE("manifest: a base's optimizer without 'plugin' is a patch, with it a replacement") {
  const Folder folder;
  const Experiment e = read(folder.write("m", replaced(good, R"({"plugin": "adam", "warmup": 5})", R"({"warmup": 5})")));
  CHECK(e.bases[1].optimizer.config.at("lr").as_number() == 5e-3);
  CHECK(e.bases[1].optimizer.config.at("warmup").as_integer() == 5);
}

TEST_CASE("manifest: a base from a file, its path seen from the manifest") {
  const Folder folder;
  folder.write("sub/base.safetensors", std::string("\2\0\0\0\0\0\0\0{}", 10));
  const Experiment e =
      read(folder.write("sub/m", replaced(good, R"("init": {"steps": 0})", R"("init": {"file": "base.safetensors"})")));
  CHECK(e.bases[0].file == (folder.path / "sub/base.safetensors").string());
  CHECK(e.resolved.at("bases").at("init").as_object().size() == 1);
}

TEST_CASE("manifest: includes lie beneath") {
  const Folder folder;
  folder.write("base/common", good);
  folder.write("base/more", R"({"include": "common", "steps": 9, "plugin_path": ["plugins"]})");
  const std::string top = folder.write("m", R"({
    "include": ["base/more"],
    "experiment": "other",
    "arms": {"K8": null, "K16": {"adapter": {"basis": "random"}}, "K32": {"adapter": {"rank": 32}}},
    "probes!": [{"plugin": "snr"}],
    "claims": [{"id": "second", "let": {"a": "K32/loss/final"}, "measure": "a", "predicts": "> 0", "margin": 0}]
  })");
  const Experiment e = read(top, {{"claims.0.let.t", "@trained/K16/loss/final"}});
  CHECK(e.name == "other");
  CHECK(e.arms[0].steps == 7);
  CHECK(e.arms[1].steps == 9);
  REQUIRE(e.arms.size() == 4);
  CHECK(e.arms[0].name == "K16");
  CHECK(e.arms[0].adapter->basis == "random");
  CHECK(e.arms[0].adapter->rank.as_integer() == 16);
  CHECK(e.arms[3].name == "K32");
  CHECK(e.arms[3].probes.size() == 1);
  CHECK(e.arms[3].probes[0].name == "snr");
  CHECK(e.claims.size() == 2);
  CHECK(e.plugin_path == std::vector<std::string>{(folder.path / "base/plugins").string()});
  CHECK_FALSE(e.resolved.find("include"));
}

TEST_CASE("manifest: a file that several include is read once, beneath the first of them") {
  const Folder folder;
  folder.write("common", good);
  folder.write("left", R"({"include": "common", "steps": 9})");
  folder.write("right", R"({"include": "./common", "seeds": 2})");
  const Experiment e = read(folder.write("m", R"({"include": ["left", "right"]})"));
  CHECK(e.arms[0].steps == 9);  // what `left` changed is not set back by a second reading of `common`
  CHECK(e.seeds.size() == 2);
  CHECK(e.claims.size() == 1);
  CHECK(e.arms[0].probes.size() == 2);

  // Two files on each of 30 levels include both of the next: 2^30 ways lead down, and each file is read once.
  int reads = 0;
  const auto lattice = [&](int levels) {
    return [&reads, levels](const std::string& path) -> std::optional<Json> {
      ++reads;
      const int level = path == "m" ? 0 : std::stoi(path.substr(1)) + 1;
      if (level == levels) return parse_json(R"({"steps": 4})", path);
      const std::string next = std::to_string(level);
      return parse_json("{\"include\": [\"a" + next + "\", \"b" + next + "\"]}", path);
    };
  };
  CHECK(load_manifest("m", {}, lattice(30)).at("steps").as_integer() == 4);
  CHECK(reads == 61);
  CHECK(message_of([&] { load_manifest("m", {}, lattice(40)); }).find("include each other more than 32 deep") !=
        std::string::npos);
}

TEST_CASE("manifest: numbers as people write them") {
  const Folder folder;
  const Experiment e = read(folder.write("m", replaced(good, R"("steps": 5)", R"("steps": 1e1)")),
                            {{"seeds", "2.0"}, {"adapter.rank", "1.6E1"}, {"data.batch", "3"}});
  CHECK(e.arms[0].steps == 10);
  CHECK(e.seeds.size() == 2);
  CHECK(e.arms[0].adapter->ranks[0].rank == 16);
  CHECK(e.resolved.at("steps").text() == "10");  // one identity
  CHECK(complaint(replaced(good, R"("steps": 5)", R"("steps": 10_000)")) ==
        "m:4:24: '10_000' is not a JSON value\n  write 10000");
  CHECK(complaint(good, {{"steps", "10_000"}}) ==
        "--set steps=10_000: 'steps' of the manifest takes an integer, found the string \"10_000\"\n  write 10000");
  CHECK(complaint(replaced(good, R"("steps": 5)", R"("steps": "5")")) ==
        "m:4:24: 'steps' of the manifest takes an integer, found the string \"5\"\n  write 5, without quotes");
  CHECK(complaint(good, {{"steps", "2.5"}}) == "--set steps=2.5: 'steps' of the manifest takes an integer, found the number 2.5");
  CHECK(complaint(good, {{"optimizer.lr", "+.5e-2"}}) ==
        "--set optimizer.lr=+.5e-2: 'lr' of optimizer 'adam' takes a number, found the string \"+.5e-2\"\n  write 0.5e-2");
}

TEST_CASE("manifest: settings") {
  const Folder folder;
  const std::string path = folder.write("m", good);
  const Experiment e = read(path, {{"seeds", "2"},
                                   {"data.corpus", "wordnet"},
                                   {"optimizer.lr", "1e-4"},
                                   {"arms.K8-drop0.1.data.batch", "5"},
                                   {"arms.K16.adapter.rank", "12"},
                                   {"probes.snr.split", "2"},
                                   {"probes.1.as", "ablate"},
                                   {"claims.noise.margin", "0.1"},
                                   {"bases.init", R"({"train": ["*"], "steps": 3})"},
                                   {"compute.plugin", "openblas"}});
  CHECK(e.seeds.size() == 2);
  CHECK(e.data.source.config.at("corpus").as_string() == "wordnet");
  CHECK(e.arms[0].optimizer.config.at("lr").as_number() == 1e-4);
  CHECK(e.arms[2].data.batch == 5);
  CHECK(e.arms[1].adapter->rank.as_integer() == 12);
  CHECK(e.arms[0].probes[0].config.at("split").as_integer() == 2);
  CHECK(e.arms[0].probes[1].name == "ablate");
  CHECK(e.claims[0].margin == 0.1);
  CHECK(e.bases[0].steps == 3);
  CHECK(e.compute->plugin == "openblas");
  CHECK(read(path, {{"data.plugin", "synthetic"}, {"data.vocab", "77"}, {"bases.trained.corpus", "null"}})
            .data.source.config.text() == R"({"vocab":77})");
  CHECK(read(path, {{"adapter", "null"}, {"adapter.rank", "3"}}).arms[0].adapter->rank.as_integer() == 3);
}

TEST_CASE("manifest: the default optimizer can be set") {
  const Folder folder;
  const std::string path = folder.write("m", replaced(good, R"("optimizer": {"plugin": "adam", "lr": 5e-3},)", ""));
  CHECK(read(path, {{"optimizer.warmup", "3"}}).arms[0].optimizer.config.text() ==
        R"({"lr":0.005,"weight_decay":0.0,"warmup":3})");
}

TEST_CASE("manifest: a name that a measure does not use is a warning") {
  const Folder folder;
  const Experiment e = read(folder.write("m", replaced(good, "\"measure\": \"b / t\"", "\"measure\": \"b\"")));
  REQUIRE(e.warnings.size() == 1);
  CHECK(e.warnings[0] == folder.path.string() + "/m:24:58: 't' of claim 'noise' is not used by its measure");
}

TEST_CASE("record paths") {
  const auto path = parse_record_path("@trained/K64/snr/drift/1");
  REQUIRE(path);
  CHECK(path->base == "trained");
  CHECK(path->arm == "K64");
  CHECK(path->probe == "snr");
  CHECK(path->record == "drift/1");
  CHECK(parse_record_path("K64/loss/final")->base.empty());
  for (const char* bad : {"", "K64", "K64/loss", "K64/loss/", "/a/b", "K64//x", "@trained", "@/a/b/c", "@b/a/c"})
    CHECK_FALSE(parse_record_path(bad));
}

TEST_CASE("declared records: a part in <> is any text without '/'") {
  CHECK(matches_record("drift/<group>", "drift/0"));
  CHECK(matches_record("keep<k>", "keep32"));
  CHECK(matches_record("a<b>c<d>", "axxcyy"));
  CHECK(matches_record("<a>/x", "y/x"));
  CHECK(matches_record("ratio", "ratio"));
  CHECK_FALSE(matches_record("drift/<group>", "drift/"));
  CHECK_FALSE(matches_record("drift/<group>", "drift/0/1"));
  CHECK_FALSE(matches_record("keep<k>", "keep"));
  CHECK_FALSE(matches_record("keep<k>x", "keep32"));
  CHECK_FALSE(matches_record("ratio", "ratio2"));
}

TEST_CASE("predictions") {
  const auto is = [](const Prediction& p, double low, double high) { return p.low == low && p.high == high; };
  const double infinite = std::numeric_limits<double>::infinity();
  CHECK(is(parse_prediction("< 0.5"), -infinite, 0.5));
  CHECK(is(parse_prediction(">-1e-3"), -1e-3, infinite));
  CHECK(is(parse_prediction(" in [0.25, 2] "), 0.25, 2));
  CHECK(is(shrunk(parse_prediction("in [0, 1]"), 0.25), 0.25, 0.75));
  CHECK(is(shrunk(parse_prediction("< 0.5"), 0.25), -infinite, 0.25));
  for (const char* bad : {"", "0.5", "<", "< x", "< 0.5 1", "< 0.5 -1", "< 0.5.1", "in [1, 0]", "in [1 2]", "in [1, 2",
                          "in (1, 2)", "<= 1", "< inf", "> nan", "in [nan, 1]"})
    CHECK_THROWS_AS(parse_prediction(bad), Error);
}

TEST_CASE("measures compute") {
  const auto value = [](const std::string& text, std::vector<double> values) { return Measure(text, {"a", "b", "c_1"})(values); };
  CHECK(value("a / b", {1, 4, 0}) == 0.25);
  CHECK(value("log(exp(a)) + abs(-b) * 2e0", {3, 2, 0}) == doctest::Approx(7));
  CHECK(value("mean(a, b, c_1)", {1, 2, 6}) == 3);
  CHECK(value("argmin(a, b, c_1)", {4, 2, 6}) == 1);
  CHECK(value("pearson(a, b, c_1, 1, 2, 3)", {1, 2, 3}) == doctest::Approx(1));
  CHECK(value("pearson(a, b, c_1, 3, 2, 1)", {1, 2, 3}) == doctest::Approx(-1));
  CHECK(value("a >= b ? 1 : 0", {1, 2, 3}) == 0);
  CHECK(Measure("a", {"a", "b"}).unused() == std::vector<std::string>{"b"});
}

TEST_CASE("manifest: a damaged file is complained about and never worse") {
  const Folder folder;
  std::mt19937_64 random(3);
  const std::string alphabet = "{}[]\",:/*-0159.aeK@<> \n\\\xc3";
  int read_anyway = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string text = i % 2 ? good : khost::test::rich;
    for (std::uint64_t edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 6);
          break;
        case 2:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
        default: {
          const std::size_t from = random() % text.size();
          text.insert(at, text.substr(from, random() % 30));
        }
      }
    }
    CAPTURE(text);
    try {
      read(folder.write("m", text));
      ++read_anyway;
    } catch (const Error& e) {
      CHECK(std::string(e.what()).size() > 10);
    }  // anything else fails the test
  }
  CHECK(read_anyway > 0);
}
