// One trial's fault costs one trial; a mistake costs none, as it is found before anything runs.

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "e2e/khost_program.hpp"
#include "khost/json.hpp"

using namespace khost;
using namespace khost::test;

namespace {

// Two arms, of which A is the one that fails; two seeds.
std::string manifest(const Khost& khost, const std::string& arm, const std::string& more = "",
                     const std::string& model = R"({"plugin": "gpt", "d_model": 8, "n_layer": 1, "n_head": 2})") {
  const std::string path = khost.scratch / "faulty.manifest";
  write(path, R"({
  "khost": 1, "experiment": "faulty", "seeds": 2, "steps": 3,
  "data": {"plugin": "synthetic", "vocab": 101, "sequence": 7, "batch": 2, "tokens": 5000},
  "model": )" + model +
                  R"(,
  "adapter": {"rank": 3},
  "bases": {"plain": {"steps": 0}},
  "arms": {
    "A": {)" + arm +
                  R"(},
    "B": {}
  },
)" + more + "\n}\n");
  return path;
}

struct KhostWithBadPlugins : Khost {
  KhostWithBadPlugins() { plugin_path = KHOST_BINARY_DIR "/bad_plugins"; }
};

struct Statuses {
  int done = 0, failed = 0;
  std::string message;  // of the first that failed
};

Statuses statuses(const Json& summary) {
  Statuses s;
  for (const Json& trial : summary.at("trials").as_list()) {
    const bool done = trial.at("status").as_string() == "done";
    ++(done ? s.done : s.failed);
    if (!done && s.message.empty()) s.message = trial.at("message").as_string();
  }
  return s;
}

}  // namespace

TEST_CASE("whatever a plugin throws in a trial is that trial's failure, with who, where and when; the others are reported") {
  const KhostWithBadPlugins khost;
  int runs = 0;
  const auto fails = [&](const std::string& arm, int failed, std::initializer_list<const char*> expected) {
    CAPTURE(arm);
    const std::string out = "run" + std::to_string(runs++);
    const Finished o = khost({manifest(khost, arm), "--out", out});
    INFO(o.err);
    REQUIRE(o.code == 4);
    const Json summary = parse_json_file(khost.scratch / (out + "/summary.json"));
    const Statuses s = statuses(summary);
    CHECK(s.failed == failed);
    CHECK(s.done == 4 - failed);
    CHECK(summary.at("records").at("plain/B/loss/final").at("n").as_integer() == 2);
    INFO(s.message);
    CHECK(has(s.message, "arm A, base plain, seed "));
    for (const char* text : expected) CHECK_MESSAGE(has(s.message, text), text);
    CHECK(has(o.out, "run folder: " + out));
  };
  const auto probe = [](const char* at, const char* how, const char* more = "") {
    return std::string(R"("probes": [{"plugin": "faulty", "at": ")") + at + R"(", "how": ")" + how + "\"" + more + "}]";
  };
  fails(probe("observe", "usage", R"(, "after": 1)"), 2,
        {"it was used wrongly", "probe 'faulty' in observe at step 1", "step 1"});
  fails(probe("observe", "foreign", R"(, "seed": 1)"), 1,
        {"not a std::exception", "probe 'faulty' in observe at step 0", "seed 1"});
  fails(probe("parallel", "foreign"), 2, {"not a std::exception", "probe 'faulty' in observe"});
  fails(probe("conclude", "memory"), 2, {"probe 'faulty' in conclude", "after the last step"});
  fails(probe("conclude", "interrupted"), 2, {"it says that it was interrupted"});
  for (const char* how : {"usage", "interrupted", "exception", "memory", "foreign"})
    fails(std::string(R"("optimizer": {"plugin": "faulty", "at": "update", "after": 4, "how": ")") + how + "\"}", 2,
          {"optimizer 'faulty' in update", "step 1"});
  for (const char* how : {"usage", "exception", "foreign"})
    fails(std::string(R"("data": {"plugin": "faulty", "at": "windows", "how": ")") + how + "\"}", 2,
          {"data 'faulty' in windows", "while it was set up"});
  fails(R"("data": {"plugin": "faulty", "at": "windows", "after": 1, "how": "exception"})", 2,
        {"data 'faulty' in windows", "before the first step"});
  fails(R"("data": {"plugin": "faulty", "at": "tokens"})", 2, {"id 101", "outside the 101 rows of 'tok_emb'"});
}

TEST_CASE("a model whose forward pass fails in a trial fails that trial") {
  const KhostWithBadPlugins khost;
  for (const char* how : {"usage", "exception", "foreign"}) {
    CAPTURE(how);
    const Finished o = khost({manifest(khost, std::string(R"("model": {"at": "forward", "after": 2, "how": ")") + how + "\"}", "",
                                       R"({"plugin": "faulty"})"),
                              "--out", how});
    INFO(o.err);
    CHECK(o.code == 4);
    const Statuses s = statuses(parse_json_file(khost.scratch / (std::string(how) + "/summary.json")));
    CHECK(s.done == 2);
    CHECK(has(s.message, "model 'faulty' in forward"));
    CHECK(has(s.message, "arm A, base plain, seed "));
  }
}

TEST_CASE("a base that fails costs its own trials") {
  const KhostWithBadPlugins khost;
  const std::string bases = R"("bases": {"plain": {"steps": 0}, "trained": {"train": ["*"], "steps": 3, "optimizer":
      {"plugin": "faulty", "at": "update", "after": 5, "how": "foreign"}}})";
  write(khost.scratch / "two.manifest", R"({"include": "faulty.manifest", )" + bases + "}");
  manifest(khost, "");
  const Finished o = khost({khost.scratch / "two.manifest", "--out", "two"});
  INFO(o.err);
  CHECK(o.code == 4);
  const Statuses s = statuses(parse_json_file(khost.scratch / "two/summary.json"));
  CHECK(s.done == 4);
  CHECK(s.failed == 4);
  CHECK(has(s.message, "optimizer 'faulty' in update"));
  CHECK(has(s.message, "base trained"));
}

TEST_CASE("a full disk at one trial is that trial's failure, with what to do") {
  const KhostWithBadPlugins khost;
  // Nothing else of this run is larger than 150 kB: one trial's records are.
  const std::string path = manifest(khost, R"("probes": [{"plugin": "faulty", "at": "long", "seed": 1, "after": 20000}])");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{150'000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);  // a write then fails, as on a full disk
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const Finished o = khost({path, "--out", "full"});
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  INFO(o.err);
  INFO(o.out);
  CHECK(o.code == 4);
  const Statuses s = statuses(parse_json_file(khost.scratch / "full/summary.json"));
  CHECK(s.failed == 1);
  CHECK(s.done == 3);
  CHECK(has(s.message, "arm A, base plain, seed 1, keeping its result"));
  CHECK(has(s.message, "the same command tries this trial again"));
  const Finished again = khost({path, "--out", "again"});
  CHECK(again.code == 0);
  CHECK(has(again.out, "4 trials: 1 run, 3 from the cache"));
}

TEST_CASE("a null that fails costs that null: the report has the figures, and why they have none") {
  const KhostWithBadPlugins khost;
  const Finished o =
      khost({manifest(khost, R"("probes": [{"plugin": "faulty", "at": "null", "how": "foreign", "seed": 7}])"), "--out", "null"});
  INFO(o.err);
  CHECK(o.code == 0);
  const Json record = parse_json_file(khost.scratch / "null/summary.json").at("records").at("plain/A/faulty/value");
  CHECK(record.at("mean").as_number() == 1);
  CHECK(record.at("null").is_null());
  const std::string report = read(khost.scratch / "null/report.md");
  CHECK(has(report, "no null:"));
  CHECK(has(report, "in null, draw 7"));
  CHECK(has(o.err, "the null of A/faulty"));
}

TEST_CASE("an entry of a null's pool stays where it is while a later draw makes the pool larger") {
  const KhostWithBadPlugins khost;
  const Finished o = khost({manifest(khost, R"("probes": [{"plugin": "faulty", "at": "pool"}])"), "--out", "pool"});
  INFO(o.err);
  CHECK(o.code == 0);
  CHECK_FALSE(parse_json_file(khost.scratch / "pool/summary.json").at("records").at("plain/A/faulty/value").at("null").is_null());
}

TEST_CASE("what a probe, an optimizer, a model or a base would refuse is refused by plan, at its place in the manifest") {
  const KhostWithBadPlugins khost;
  const auto refused = [&](const std::string& arm, const std::string& more, int code,
                           std::initializer_list<const char*> expected) {
    CAPTURE(arm + more);
    const Finished o = khost({"plan", manifest(khost, arm, more)});
    INFO(o.err);
    CHECK(o.code == code);
    CHECK(has(o.err, "faulty.manifest:"));
    for (const char* text : expected) CHECK_MESSAGE(has(o.err, text), text);
    CHECK_FALSE(std::filesystem::exists(khost.scratch / "cache/base"));
  };
  const auto probe = [](const std::string& text) { return R"("probes": [{"plugin": )" + text + "}]"; };
  refused(probe(R"("ablation", "keep": [2, 3, 2])"), "", 2, {"keep", "2", "twice"});
  refused(probe(R"("ablation", "keep": 2)"), "", 2, {"'keep'", "takes a list"});
  refused(probe(R"("ablation", "keep": [])"), "", 2, {"keep", "empty"});
  refused(probe(R"("ablation", "keep": [32])"), "", 2, {":8:", "keep has 32", "K = 3"});
  refused(probe(R"("snr", "groups": [3])"), "", 2, {"[first, end]"});
  refused(probe(R"("snr", "groups": [2, 2])"), "", 2, {"[first, end]"});
  refused(probe(R"("snr", "groups": [[2, 2]])"), "", 2, {"[2,2]", "is empty"});
  refused(probe(R"("snr", "groups": null)"), "", 2, {"groups"});
  refused(probe(R"("snr", "groups": [[0, 1], [1, "K"]], "batches": 4)"), "", 2, {"batches is 4", "at least 16"});
  refused(R"("adapter": {"core": "block"}, )" + probe(R"("snr", "groups": [[0, 1], [1, "K"]])"), "", 2, {":8:", "block core"});
  refused(probe(R"("coverage", "ranks": [2], "steps": [5])"), "", 2, {"steps has 5", "steps 1 to 3"});
  refused(probe(R"("k_schedule", "ranks": [2, 9], "at": [0.5])"), "", 2, {":8:", "K = 9"});
  refused(probe(R"("faulty", "at": "create", "how": "exception")"), "", 3, {"a plain exception", "probe 'faulty' in create"});
  refused(probe(R"("faulty", "at": "begin", "how": "foreign")"), "", 3,
          {":8:", "not a std::exception", "probe 'faulty' in begin"});
  refused(probe(R"("faulty", "at": "null", "how": "usage")"), "", 2, {":8:", "it was used wrongly", "probe 'faulty' in null"});
  refused(probe(R"("faulty", "at": "no rank")"), "", 3, {":8:", "'basis.svd'", "which rank", "need_basis(\"svd\", K)"});
  refused(R"("optimizer": {"plugin": "faulty", "at": "slots"})", "", 3, {"-1 state arrays", "optimizer 'faulty' in slots"});
  refused(R"("optimizer": {"plugin": "faulty", "at": "create", "how": "usage"})", "", 2, {":8:", "it was used wrongly"});
  refused(R"("data": {"plugin": "faulty", "at": "create", "how": "usage"})", "", 2, {":8:", "it was used wrongly"});
  refused(R"("model": {"plugin": "faulty", "at": "forward", "how": "usage"})", "", 2,
          {"it was used wrongly", "model 'faulty' in forward"});
  refused(R"("model": {"plugin": "faulty", "at": "vector"})", "", 0, {});
}
