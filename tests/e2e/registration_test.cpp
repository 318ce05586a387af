// What was seen cannot be called predicted: registration of claims, and looks at their data, from outside.

#include <doctest/doctest.h>

#include <filesystem>

#include "e2e/khost_program.hpp"
#include "khost/hash.hpp"
#include "khost/json.hpp"
#include "unit/environment_variable.hpp"

using namespace khost;
using namespace khost::test;

namespace {

// A manifest of two arms; its parts can be replaced.
struct Written {
  std::string experiment = "small", bases = R"("plain": {"steps": 0})", rank = "7", probes, arms,
              data = R"({"plugin": "synthetic", "vocab": 101, "sequence": 15, "batch": 2})";
  std::vector<std::string> claims = {claim("b-wins", "b - a", "< 0"), claim("b-near", "b - a", "in [-9, 9]")};

  static std::string claim(const std::string& id, const std::string& measure, const std::string& predicts,
                           const std::string& b = "B/loss/final") {
    return R"({"id": ")" + id + R"(", "let": {"a": "A/loss/final", "b": ")" + b + R"("}, "measure": ")" + measure +
           R"(", "predicts": ")" + predicts + R"(", "margin": 1e-6})";
  }

  // Its path.
  std::string write(const Khost& khost, const std::string& name) const {
    std::string list;
    for (const std::string& c : claims) list += (list.empty() ? "" : ",\n    ") + c;
    const std::string path = khost.scratch / name;
    khost::test::write(path, R"({
  "khost": 1, "experiment": ")" + experiment +
                                 R"(", "seeds": 6, "steps": 4,
  "data": )" + data + R"(,
  "model": {"plugin": "gpt", "d_model": 24, "n_layer": 1, "n_head": 3},
  "optimizer": {"plugin": "adam", "lr": 5e-3},
  "adapter": {"rank": 5},
  "bases": {)" + bases + R"(},
  "arms": {"A": {}, "B": {"adapter": {"rank": )" +
                                 rank + R"(}})" + arms + R"(},
  "probes": [)" + probes + R"(],
  "claims": [)" + list + R"(]
})");
    return path;
  }
};

struct Run {
  Json::List claims;
  std::string out, err, listed;  // the last by khost claims

  const Json& claim(const std::string& id) const {
    for (const Json& c : claims)
      if (c.at("id").as_string() == id) return c;
    FAIL("no claim ", id);
    return claims.front();
  }
  std::string verdict(const std::string& id) const { return claim(id).at("verdict").as_string(); }
  std::string against(const std::string& id) const {
    std::string all;
    for (const Json& reason : claim(id).at("post_hoc").as_list()) all += reason.as_string() + "; ";
    return all;
  }
  int look(const std::string& id) const { return static_cast<int>(claim(id).at("look").as_integer()); }
};

Run run(const Khost& khost, const Written& manifest, std::vector<std::string> more = {}) {
  static int count = 0;
  const std::string folder = "run" + std::to_string(++count);
  std::vector<std::string> words{manifest.write(khost, folder + ".manifest"), "--out", folder};
  words.insert(words.end(), more.begin(), more.end());
  const Finished o = khost(words);
  INFO(o.err, o.out);
  REQUIRE(o.code == 0);
  return {parse_json_file(khost.scratch / (folder + "/summary.json")).at("claims").as_list(), o.out, o.err,
          khost({"claims", folder}).out};
}

}  // namespace

TEST_CASE("claims that are new, edited, renamed, or in another family or experiment after their data existed are post hoc") {
  const Khost khost;
  const Written first;
  const Run before = run(khost, first);
  CHECK(before.verdict("b-near") == "confirmed");
  CHECK(before.claim("b-near").at("registered").as_string().find(" UTC by ") != std::string::npos);
  CHECK(before.claim("b-near").at("would_be").is_null());
  CHECK(run(khost, first).verdict("b-near") == "confirmed");  // and stays so

  Written changed = first;
  changed.claims.push_back(Written::claim("b-small", "a - b", "in [-5, 5]"));
  const Run more = run(khost, changed);
  CHECK(more.verdict("b-small") == "post hoc");
  CHECK(more.claim("b-small").at("would_be").as_string() == "confirmed");
  CHECK(has(more.against("b-small"), "new: it was not registered before data that it reads; 12 of the 12 trials"));
  CHECK(has(more.against("b-near"), "its family had 2 claims x bases and has 3"));
  CHECK(more.verdict("b-near") == "post hoc");
  CHECK(has(more.err, "warning: claim 'b-small' is post hoc: new"));
  CHECK(has(more.out, "post hoc, confirmed"));
  CHECK(has(more.listed, "POST HOC: new"));
  CHECK(has(more.listed, "post hoc: would be confirmed"));

  changed = first;
  changed.claims[1] = Written::claim("b-near", "b - a", "in [-8, 8]");
  const Run edited = run(khost, changed);
  CHECK(has(edited.against("b-near"), "edited: it was registered "));
  CHECK(edited.claim("b-near").at("changed_from").at("predicts").as_string() == "in [-9, 9]");
  CHECK(has(edited.listed, "before: b - a in [-9, 9], margin 1e-06"));
  CHECK(has(edited.against("b-wins"), "another claim of its family was edited or renamed"));
  CHECK(edited.verdict("b-wins") == "post hoc");

  changed = first;
  changed.claims[1] = Written::claim("b-close", "b - a", "in [-9, 9]");
  const Run renamed = run(khost, changed);
  CHECK(has(renamed.against("b-close"), "renamed: it was registered "));
  CHECK(has(renamed.against("b-close"), " as 'b-near'"));

  changed = first;
  changed.claims.pop_back();
  CHECK(has(run(khost, changed).against("b-wins"), "its family had 2 claims x bases and has 1"));

  changed = first;
  changed.experiment = "other";
  const Run other = run(khost, changed);
  CHECK(has(other.against("b-near"), "as 'b-near' of experiment 'small'"));
  CHECK(other.verdict("b-near") == "post hoc");
}

TEST_CASE("a base that is dropped after its data existed leaves a smaller family") {
  const Khost khost;
  Written manifest;
  manifest.bases = R"("plain": {"steps": 0}, "second": {"steps": 0, "base_seed": 1})";
  CHECK(run(khost, manifest).verdict("b-near") == "confirmed");
  manifest.bases = R"("plain": {"steps": 0})";
  const Run dropped = run(khost, manifest);
  CHECK(dropped.verdict("b-near") == "post hoc");
  CHECK(has(dropped.against("b-near"), "its family had 4 claims x bases and has 2"));
}

TEST_CASE(
    "words, order and the backend are nothing that is fixed; an edited arm is registered anew and says that it has a past") {
  const Khost khost;
  Written manifest;
  run(khost, manifest);
  std::swap(manifest.claims[0], manifest.claims[1]);
  manifest.claims[0].insert(1, R"("statement": "in other words", )");
  CHECK(run(khost, manifest).verdict("b-near") == "confirmed");
  const Run backend = run(khost, manifest, {"--backend", "reference"});
  CHECK(backend.verdict("b-near") == "confirmed");
  CHECK(has(backend.claim("b-near").at("note").as_string(), "another backend, build or number of threads"));
  // One arm edited: the other one's trials were seen. All edited: registered anew, and said to have a past.
  const Run all = run(khost, manifest, {"--set", "steps=5"});
  CHECK(all.verdict("b-near") == "confirmed");
  CHECK(has(all.claim("b-near").at("note").as_string(),
            "an earlier version has data: other trials: its arms, its bases or their text were edited"));
  CHECK(has(all.err, "warning: claim 'b-near': an earlier version has data: other trials"));
  CHECK_FALSE(has(backend.err, "warning: claim"));
  const Run slightly = run(khost, manifest, {"--set", "optimizer.lr=5.0001e-3"});
  CHECK(has(slightly.err, "warning: claim 'b-near': an earlier version has data: other trials"));
  Written renamed = manifest;  // and another number of steps: neither its name nor its trials are known
  renamed.claims[0] = Written::claim("b-close", "b - a", "in [-9, 9]");
  const Run new_name = run(khost, renamed, {"--set", "steps=6"});
  CHECK(new_name.verdict("b-close") == "confirmed");
  CHECK(has(new_name.claim("b-close").at("note").as_string(), "an earlier version has data: renamed: it was registered "));
  CHECK(has(new_name.err, "warning: claim 'b-close': an earlier version has data: renamed: it was registered "));
  manifest.rank = "6";
  const Run edited = run(khost, manifest);
  CHECK(edited.verdict("b-near") == "post hoc");
  CHECK(has(edited.against("b-near"), "other trials: its arms, its bases or their text were edited"));
  CHECK(has(edited.against("b-near"), "6 of the 12 trials that it reads had been started"));
}

TEST_CASE("another text under the same name is other trials, and another look") {
  const Khost khost;
  // Each text has its words in an order of its own.
  const auto text = [](unsigned state) {
    std::string out;
    for (int document = 0; document < 150; ++document, out += "\n\n")
      for (int i = 0; i < 40; ++i) {
        state = state * 1664525 + 1013904223;
        out += std::vector<std::string>{"alpha ", "beta ", "gamma ", "house ", "river ", "tree ", "walks ", "the "}[state >> 29];
      }
    return out;
  };
  const std::string first = text(1), second = text(2), current = khost.scratch / "current.txt";
  Written manifest;
  manifest.data = R"({"plugin": "text", "files": ["current.txt"], "vocab": 64, "sequence": 15, "batch": 2})";
  write(current, first);
  const Run before = run(khost, manifest);
  CHECK(before.verdict("b-near") == "confirmed");
  CHECK(before.claim("b-near").at("note").as_string() == "");
  write(current, second);
  const Run after = run(khost, manifest);
  CHECK(after.claim("b-near").at("estimate") != before.claim("b-near").at("estimate"));
  CHECK(has(after.claim("b-near").at("note").as_string(), "an earlier version has data: other trials: its arms, its bases or "));
  CHECK_FALSE(has(after.claim("b-near").at("note").as_string(), "another backend"));
  CHECK(has(after.claim("b-near").at("registered").as_string(), " UTC by "));
  CHECK(after.claim("b-near").at("registered") != before.claim("b-near").at("registered"));
  // A claim that is written after this text was seen is post hoc, whatever the name was of when it was seen.
  std::filesystem::rename(current, khost.scratch / "renamed.txt");
  manifest.data.replace(manifest.data.find("current"), 7, "renamed");
  CHECK(run(khost, manifest).verdict("b-near") == "confirmed");  // the same text
  manifest.claims[1] = Written::claim("b-near", "b - a", "in [-8, 8]");
  CHECK(has(run(khost, manifest).against("b-near"), "edited: it was registered "));
}

TEST_CASE("a corpus that holds another text by now: registered anew, another look") {
  const Khost khost;
  const auto write_corpus = [&](const std::string& words) {
    std::string text;
    for (int i = 0; i < 200; ++i)
      for (int j = 0; j < 40; ++j)
        text += words.substr(static_cast<std::size_t>(i * j) % words.size(), 7) + (j == 39 ? "\n" : " ");
    std::filesystem::create_directories(khost.scratch / "cache/corpora");
    write(khost.scratch / "cache/corpora/kjv.txt", text);
    write(khost.scratch / "cache/corpora/kjv.txt.sha256", sha256(text) + "  kjv.txt\n");
  };
  Written manifest;
  manifest.data = R"({"plugin": "text", "corpus": "kjv", "vocab": 64, "sequence": 15, "batch": 2})";
  write_corpus("in the beginning was the word and it was near");
  CHECK(run(khost, manifest).look("b-near") == 1);
  write_corpus("and the light was seen by those who looked at it");
  const Run second = run(khost, manifest);
  CHECK(second.verdict("b-near") == "confirmed");
  CHECK(second.look("b-near") == 2);
  CHECK(has(second.claim("b-near").at("note").as_string(), "an earlier version has data: other data under the same names"));
  CHECK_FALSE(has(second.claim("b-near").at("note").as_string(), "another backend"));
  write_corpus("in the beginning was the word and it was near");
  CHECK(run(khost, manifest).look("b-near") == 1);
}

TEST_CASE("data of another backend, or of a run with fewer probes and no claims, is data; a probe's first records are not seen") {
  const Khost khost;
  Written without;
  without.claims.clear();
  run(khost, without, {"--backend", "reference"});
  Written with;
  with.probes = R"({"plugin": "effective_rank"})";
  with.claims.push_back(
      R"({"id": "rank", "let": {"er": "B/effective_rank/in_basis"}, "measure": "er", "predicts": "> 6.9", "margin": 0})");
  const Run later = run(khost, with);
  CHECK(later.verdict("b-near") == "post hoc");
  CHECK(has(later.against("b-near"), "12 of the 12 trials that it reads had been started"));
  CHECK(later.verdict("rank") != "post hoc");
}

TEST_CASE("a probe that reads other text makes no loss unseen that was shown without it") {
  for (const char* on : {"train", "calibration", "held_out"}) {
    CAPTURE(on);
    const Khost khost;
    Written without;
    without.claims.clear();
    run(khost, without);
    Written with;
    with.probes = std::string(R"({"plugin": "ablation", "keep": [2], "on": ")") + on + "\"}";
    CHECK(run(khost, with).verdict("b-near") == "post hoc");
  }
}

TEST_CASE("an interrupted run has shown what it started") {
  const Khost khost;
  Written manifest;
  const Finished o = khost({manifest.write(khost, "long.manifest"), "--set", "steps=400", "--jobs", "1"}, "seed 0");
  INFO(o.err);
  REQUIRE(o.code == 5);
  std::filesystem::remove_all(khost.scratch / "cache/trials");  // a trial need not have finished to have been seen
  manifest.claims[1] = Written::claim("b-near", "b - a", "in [-8, 8]");
  const Finished again = khost({"register", manifest.write(khost, "long.manifest"), "--set", "steps=400"});
  INFO(again.out);
  CHECK(again.code == 0);
  CHECK(has(again.out, "b-near  post hoc: edited: it was registered "));
  CHECK(has(again.out, "of the 12 trials that it reads had been started"));
}

TEST_CASE("trials that are shared: what is registered before the first of them stays so, whoever runs them") {
  const Khost khost;
  Written first, second;
  second.experiment = "second", second.claims = {Written::claim("far", "b - a", "in [-7, 7]")};
  const std::string path = second.write(khost, "second.manifest");
  const Finished registered = khost({"register", path});
  INFO(registered.err);
  REQUIRE(registered.code == 0);
  CHECK(has(registered.out, "second: 1 claim\n  far  registered "));
  run(khost, first);
  const Run shared = run(khost, second);
  CHECK(shared.verdict("far") == "confirmed");
  CHECK(has(shared.claim("far").at("registered").as_string(), " by " + path));
  second.experiment = "third";
  CHECK(run(khost, second).verdict("far") == "post hoc");
}

TEST_CASE("looks: other seeds are another look at a smaller level, the same ones are not, too few are none") {
  const Khost khost;
  const Written manifest;
  CHECK(run(khost, manifest, {"--seeds", "3"}).look("b-near") == 1);  // would be: three seeds decide nothing
  CHECK(run(khost, manifest).look("b-near") == 1);
  CHECK(run(khost, manifest).look("b-near") == 1);
  const Run second = run(khost, manifest, {"--seeds", "8"});
  CHECK(second.look("b-near") == 2);
  CHECK(second.claim("b-near").at("level").as_number() == doctest::Approx(1 - 0.05 * 0.1 / 2));
  CHECK(has(second.out, "confirmed (look 2)"));
  CHECK(has(second.listed, "confirmed (look 2, level 99.75 %)"));
  CHECK(run(khost, manifest, {"--seeds", "7"}).look("b-near") == 3);
  CHECK(run(khost, manifest, {"--seeds", "8"}).look("b-near") == 2);
  CHECK(run(khost, manifest).look("b-near") == 1);
  // An interval is at its own look's level.
  CHECK(run(khost, manifest).claim("b-near").at("level").as_number() == doctest::Approx(1 - 0.05 * 0.8 / 2));
}

TEST_CASE("what the release registered is not undone by trials that ran before, but by an edit") {
  Khost khost;
  std::filesystem::create_directories(khost.scratch / "share/registered");
  std::filesystem::create_directory_symlink(KHOST_SOURCE_DIR "/share/report", khost.scratch / "share/report");
  Written manifest;
  const std::string path = manifest.write(khost, "small.manifest");
  REQUIRE(khost({"register", path, "--shipped", khost.scratch / "share/registered"}).code == 0);
  Written without = manifest;
  without.claims.clear(), without.experiment = "before";
  run(khost, without);
  const EnvironmentVariable share("KHOST_SHARE", (khost.scratch / "share").c_str());
  const Run shipped = run(khost, manifest);
  CHECK(shipped.verdict("b-near") == "confirmed");
  CHECK(has(shipped.claim("b-near").at("registered").as_string(), "with khost " KHOST_VERSION ", which ships it"));
  manifest.claims[1] = Written::claim("b-near", "b - a", "in [-8, 8]");
  const Run edited = run(khost, manifest);
  CHECK(has(edited.against("b-near"), "edited: it was registered with khost " KHOST_VERSION ", which ships it"));
  CHECK(edited.verdict("b-near") == "post hoc");
}

TEST_CASE("share/registered holds the claims of the manifests under experiments/ as they stand") {
  const Khost khost;
  const std::string experiments = KHOST_SOURCE_DIR "/experiments";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(experiments)) {
    if (entry.path().extension() != ".manifest") continue;
    CAPTURE(entry.path());
    const Json manifest = parse_json_file(entry.path());
    if (manifest.find("series") || !manifest.find("claims")) continue;
    const std::string name = manifest.at("experiment").as_string() + ".json";
    REQUIRE(khost({"register", entry.path(), "--shipped", khost.scratch.folder()}).code == 0);
    ++files;
    // After an edit that is meant: khost register experiments/NAME.manifest --shipped share/registered
    CHECK(read(khost.scratch / name) == read(KHOST_SOURCE_DIR "/share/registered/" + name));
  }
  CHECK(files >= 10);
  CHECK(files == std::distance(std::filesystem::directory_iterator(KHOST_SOURCE_DIR "/share/registered"), {}));
}
