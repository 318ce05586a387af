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
  const auto fails = [&](const std::string& arm, int failed, std::initializer_list<const char*> expected,
                         const char* jobs = "2") {
    CAPTURE(arm);
    const std::string out = "run" + std::to_string(runs++);
    const Finished o = khost({manifest(khost, arm), "--out", out, "--jobs", jobs});
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
    fails(std::string(R"("optimizer": {"plugin": "faulty", "at": "update", "after": 7, "how": ")") + how + "\"}", 2,
          {"optimizer 'faulty' in update", "step 1"});
  for (const char* how : {"usage", "exception", "foreign"})
    fails(std::string(R"("data": {"plugin": "faulty", "at": "windows", "how": ")") + how + "\"}", 2,
          {"data 'faulty' in windows", "while it was set up"});
  for (const char* how : {"usage", "exception", "foreign"})
    fails(std::string(R"("data": {"plugin": "faulty", "at": "count", "how": ")") + how + "\"}", 2,
          {"data 'faulty' in tokens", "while it was set up"});
  // Trials share a data source: one at a time, so that the call that goes well is the first trial's.
  fails(R"("data": {"plugin": "faulty", "at": "windows", "after": 1, "how": "exception"})", 2,
        {"data 'faulty' in windows", "before the first step"}, "1");
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

TEST_CASE("a probe that changes the working folder does not take the report away") {
  const KhostWithBadPlugins khost;
  manifest(khost, R"("probes": [{"plugin": "faulty", "at": "folder"}])");
  const Finished one = khost({"faulty.manifest", "--out", "one"});
  CHECK_MESSAGE(one.code == 0, one.err);
  CHECK(has(one.out, "run folder: one\n"));
  CHECK(std::filesystem::exists(khost.scratch / "one/report.md"));
  CHECK_FALSE(std::filesystem::exists(khost.scratch / "one/khost.lock"));
  write(khost.scratch / "series.manifest", R"({"khost": 1, "experiment": "s", "series": ["faulty.manifest", "small.manifest"]})");
  khost.manifest();
  const Finished series = khost({"series.manifest", "--out", "all", "--fresh"});
  CHECK_MESSAGE(series.code == 0, series.err);
  CHECK(std::filesystem::exists(khost.scratch / "all/small/summary.json"));
  CHECK(std::filesystem::exists(khost.scratch / "all/claims.md"));
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

TEST_CASE("a base whose text cannot be counted costs its own trials; without any that can be, nothing runs") {
  const KhostWithBadPlugins khost;
  manifest(khost, "");
  const std::string faulty = R"("data": {"plugin": "faulty", "at": "count"})";
  write(khost.scratch / "base.manifest",
        R"({"include": "faulty.manifest", "bases": {"trained": {"train": ["*"], "steps": 3, )" + faulty + "}}}");
  const Finished o = khost({khost.scratch / "base.manifest", "--out", "base"});
  INFO(o.err);
  CHECK(o.code == 4);
  const Statuses s = statuses(parse_json_file(khost.scratch / "base/summary.json"));
  CHECK(s.done == 4);
  CHECK(s.failed == 4);
  CHECK_MESSAGE(has(s.message, "data 'faulty' in tokens"), s.message);
  CHECK(has(s.message, "base trained"));
  write(khost.scratch / "all.manifest",
        R"({"include": "faulty.manifest", "arms": {"A": {)" + faulty + R"(}, "B": {)" + faulty + "}}}");
  const Finished none = khost({khost.scratch / "all.manifest", "--out", "none"});
  CHECK(none.code == 3);
  CHECK_MESSAGE(has(none.err, "data 'faulty' in tokens"), none.err);
}

TEST_CASE("a trial that cannot be noted in the ledger fails, with why, and its job goes on with the next") {
  const KhostWithBadPlugins khost;
  const std::string path = manifest(khost, ""), ledger = khost.scratch / "cache/claims";
  const auto all_fail = [&](const std::string& out, const char* what) {
    std::filesystem::remove_all(ledger);
    std::filesystem::create_directories(ledger);
    write(ledger + "/started", "a file where a folder should be");
    const Finished o = khost({path, "--out", out, "--jobs", "1"});
    INFO(o.err);
    REQUIRE(o.code == 4);
    const Json summary = parse_json_file(khost.scratch / (out + "/summary.json"));
    CHECK(statuses(summary).failed == 4);
    for (const Json& trial : summary.at("trials").as_list())
      CHECK_MESSAGE(has(trial.at("message").as_string(), "seed " + trial.at("seed").text() + ", " + what), trial.text());
  };
  all_fail("start", "noting that it started");
  std::filesystem::remove_all(ledger);
  REQUIRE(khost({path, "--out", "whole"}).code == 0);
  all_fail("found", "looking for it in the cache");
}

TEST_CASE("a full disk at one trial is that trial's failure, with what to do") {
  const KhostWithBadPlugins khost;
  // Nothing else of this run is larger than 2 MB: one trial's records are.
  const std::string path = manifest(khost, R"("probes": [{"plugin": "faulty", "at": "long", "seed": 1, "after": 150000}])");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{2'000'000, before.rlim_max};
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

  // Nor is it larger than what run.db takes of it: then the run goes to its end, says what is missing, and another one has it
  // all.
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const Finished no_room = khost({path, "--out", "no_room"});
  const rlimit tiny{20'000, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tiny) == 0);
  const Finished refused = khost({path, "--out", "refused", "--fresh"});
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK_MESSAGE(no_room.code == 2, no_room.err);
  CHECK_MESSAGE(has(no_room.err, "no_room/run.db'"), no_room.err);
  CHECK(has(no_room.err, "6 of the run folder's files could not be written"));
  CHECK(has(no_room.out, "loss/final"));
  CHECK(has(no_room.out, "4 trials: 0 run, 4 from the cache"));
  CHECK(khost({path, "--out", "no_room"}).code == 0);
  CHECK(records(khost, "no_room") == records(khost, "again"));
  CHECK(refused.code == 2);  // before its first trial
  CHECK_MESSAGE(has(refused.err, "refused/run.db'"), refused.err);
  CHECK_FALSE(has(refused.err, "[1/4]"));
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
  const std::string report = read(khost.scratch / "null/report.html");
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
  refused(probe(R"("snr", "groups": null)"), "", 2, {":8:", "expected a list, found the null"});
  refused(probe(R"("snr", "groups": [[0, 1], [1, "K"]], "batches": 4)"), "", 2, {"batches is 4", "at least 16"});
  refused(R"("adapter": {"core": "block"}, )" + probe(R"("snr", "groups": [[0, 1], [1, "K"]])"), "", 2, {":8:", "block core"});
  refused(probe(R"("coverage", "ranks": [2], "steps": [5])"), "", 2, {"steps has 5", "steps 1 to 3"});
  refused(probe(R"("k_schedule", "ranks": [2, 9], "at": [0.5])"), "", 2, {":8:", "K = 9"});
  refused(probe(R"("faulty", "at": "create", "how": "exception")"), "", 3, {"a plain exception", "probe 'faulty' in create"});
  refused(probe(R"("faulty", "at": "begin", "how": "foreign")"), "", 3,
          {":8:", "not a std::exception", "probe 'faulty' in begin"});
  refused(probe(R"("faulty", "at": "null", "how": "usage")"), "", 2, {":8:", "it was used wrongly", "probe 'faulty' in null"});
  refused(probe(R"("faulty", "at": "no rank")"), "", 3, {":8:", "'basis.svd'", "how many dims", "need_basis(\"svd\", RANK)"});
  refused(R"("optimizer": {"plugin": "faulty", "at": "slots"})", "", 3, {"-1 state arrays", "optimizer 'faulty' in slots"});
  refused(R"("optimizer": {"plugin": "faulty", "at": "create", "how": "usage"})", "", 2, {":8:", "it was used wrongly"});
  refused(R"("data": {"plugin": "faulty", "at": "create", "how": "usage"})", "", 2, {":8:", "it was used wrongly"});
  refused(R"("model": {"plugin": "faulty"})", "", 2, {"arm 'A'", "has no tensor 'pos_emb'"});
  const auto with_base = [&](const std::string& more, int code, std::initializer_list<const char*> expected) {
    CAPTURE(more);
    write(khost.scratch / "base.manifest", R"({"include": "faulty.manifest", "data": {"calibration_windows": 0},
  "bases": {"b": {"steps": 3, )" + more + "}}}");
    manifest(khost, "");
    const Finished o = khost({"plan", khost.scratch / "base.manifest"});
    INFO(o.err);
    CHECK(o.code == code);
    CHECK(has(o.err, "base.manifest:2:"));
    for (const char* text : expected) CHECK_MESSAGE(has(o.err, text), text);
  };
  with_base(R"("train": ["layer.7.*"])", 2, {"'train' of base 'b' names 'layer.7.*'", "matches no tensor"});
  with_base(R"("train": ["*"], "until": {"loss": 3})", 2, {"\"calibration_windows\" is 0"});
  with_base(R"("train": ["*"], "optimizer": {"plugin": "faulty", "at": "create"})", 3,
            {"it is at fault", "optimizer 'faulty' in create"});

  const std::string faulty = R"({"plugin": "faulty"})";
  const Finished model = khost({"plan", manifest(khost, R"("model": {"at": "forward", "how": "usage"})", "", faulty)});
  CHECK(model.code == 2);
  CHECK_MESSAGE(has(model.err, "faulty.manifest:8:"), model.err);
  CHECK_MESSAGE(has(model.err, "model 'faulty' in forward"), model.err);
  const Finished vector = khost({"plan", manifest(khost, R"("model": {"at": "vector"})", "", faulty)});
  CHECK(vector.code == 3);
  CHECK_MESSAGE(has(vector.err, "called adaptable, which only a matrix can be"), vector.err);
}

TEST_CASE("ranks that only another arm's records decide: what is certain is refused, the rest is that trial's failure") {
  const Khost khost;
  const auto adaptive = [&](const std::string& probes) {
    write(khost.scratch / "adaptive.manifest", R"({
  "khost": 1, "experiment": "adaptive", "seeds": 1, "steps": 3,
  "data": {"plugin": "synthetic", "vocab": 101, "sequence": 7, "batch": 2, "tokens": 5000},
  "model": {"plugin": "gpt", "d_model": 24, "n_layer": 1, "n_head": 2},
  "adapter": {"rank": 8},
  "bases": {"plain": {"steps": 0}},
  "arms": {
    "uniform": {"probes": [{"plugin": "effective_rank"}]},
    "adaptive": {"needs": "uniform", "probes": [{"plugin": "adaptive_k", "from": "uniform/effective_rank", "c": 0.9},
      )" + probes + R"(]}
  }
})");
    return khost.scratch / "adaptive.manifest";
  };
  // Of about 5 or 6 dims of 8: K becomes 6 or 7, which the manifest's 8 does not tell.
  const Finished o = khost({adaptive(R"({"plugin": "ablation", "keep": [8, 4]})"), "--out", "adaptive"});
  INFO(o.err);
  CHECK(o.code == 4);
  const Statuses s = statuses(parse_json_file(khost.scratch / "adaptive/summary.json"));
  CHECK(s.done == 1);
  CHECK(s.failed == 1);
  CHECK_MESSAGE(has(s.message, "keep has 8, but layer.0."), s.message);
  CHECK(has(s.message, "probe 'ablation' in begin"));
  CHECK(has(s.message, "arm adaptive, base plain, seed 0"));
  const Finished never = khost({"plan", adaptive(R"({"plugin": "ablation", "keep": [30, 4]})")});
  INFO(never.err);
  CHECK(never.code == 2);
  CHECK(has(never.err, "adaptive.manifest:10:"));
  CHECK(has(never.err, "keep has 30"));
}

TEST_CASE("what no machine can hold is refused at once, with the sum") {
  const Khost khost;
  const auto refused = [&](std::vector<std::string> set, std::initializer_list<const char*> expected) {
    for (const char* command : {"plan", "run"}) {
      std::vector<std::string> arguments{command, khost.manifest(R"("title": "x")")};
      for (const std::string& s : set) arguments.insert(arguments.end(), {"--set", s});
      const Finished o = khost(arguments);
      INFO(o.err);
      CHECK(o.code == 2);
      for (const char* text : expected) CHECK_MESSAGE(has(o.err, text), text);
    }
  };
  refused({"data.batch=4611686018427387904"}, {"more than any memory holds", "small.manifest:8:"});
  refused({"data.batch=68719476736"}, {"needs at least", "iB of memory, but", "the sum: weights of the bases"});
  refused({"data.sequence=2305843009213693952"}, {"more than any memory holds"});
  refused({"model.d_model=1099511627776", "model.n_head=1"}, {"more than any memory holds", "small.manifest"});
  refused({"model.d_model=6291456"}, {"needs at least", "iB of memory, but", "the sum:"});
  refused({"data.held_out_windows=4611686018427387904"}, {"needs at least", "of memory"});
  refused({"steps=4611686018427387904"}, {"needs at least", "of memory"});
  refused({"model.n_layer=100000"}, {"'n_layer'", "100000", "between 1 and 1024"});
  const Finished fits = khost({"plan", khost.manifest(R"("title": "x")")});
  CHECK(fits.code == 0);
  CHECK_MESSAGE(has(fits.out, "memory: at least "), fits.out);
}

TEST_CASE("NaN says where it began, and infinity is infinity, wherever they are shown") {
  const KhostWithBadPlugins khost;
  const auto arm = [](const std::string& at) {
    return R"("probes": [{"plugin": "faulty", "at": ")" + at + R"(", "seed": 1, "after": 2}])";
  };
  const auto run = [&](const std::string& at) {
    const Finished o = khost({manifest(khost, arm(at)), "--out", at});
    INFO(o.err);
    REQUIRE(o.code == 0);
    return std::pair(o.out, parse_json_file(khost.scratch / (at + "/summary.json")));
  };
  const auto nan = run("nan");
  const Json& missing = nan.second.at("records").at("plain/A/faulty/value");
  CHECK(missing.at("values").text() == "[1.0,null]");
  CHECK(missing.at("n").as_integer() == 1);
  CHECK(nan.second.at("not_finite").at("plain/A/faulty/value nan").text() ==
        R"({"trials":1,"of":2,"first":{"draw":0,"seed":1,"step":null}})");
  CHECK(nan.second.at("not_finite").at("plain/A/faulty/series nan").text() ==
        R"({"trials":1,"of":2,"first":{"draw":0,"seed":1,"step":2}})");
  CHECK(has(nan.first, "plain/A/faulty/value is NaN in 1 of 2 trials, first with seed 1"));
  CHECK(has(nan.first, "plain/A/faulty/series is NaN in 1 of 2 trials, first at step 2 of seed 1"));
  CHECK(has(records(khost, "nan"), "plain,A,0,1,faulty,value,,,1\r\n"));
  CHECK(has(records(khost, "nan"), "plain,A,0,1,faulty,series,2,,1\r\n"));
  CHECK(has(read(khost.scratch / "nan/report.md"), "NaN in 1 of 2 trials, first at step 2 of seed 1"));

  const auto inf = run("inf");
  const Json& infinite = inf.second.at("records").at("plain/A/faulty/value");
  CHECK(infinite.at("values").text() == R"([1.0,"inf"])");
  CHECK(infinite.at("mean").as_string() == "inf");
  CHECK(infinite.at("n").as_integer() == 2);
  CHECK(inf.second.at("not_finite").find("plain/A/faulty/value inf"));
  CHECK(has(inf.first, "plain/A/faulty/series is infinite in 1 of 2 trials, first at step 2 of seed 1"));
  CHECK(has(records(khost, "inf"), "plain,A,0,1,faulty,value,,inf,1\r\n"));
  const Finished again = khost({manifest(khost, arm("inf")), "--out", "again"});
  CHECK(has(again.out, "4 from the cache"));
  CHECK(records(khost, "inf") == records(khost, "again"));  // through the cache, too
}

TEST_CASE("20 levels of manifests that include the two of the level below are read at once") {
  const Khost khost;
  khost.manifest(R"("title": "x")", "m0a.manifest");
  write(khost.scratch / "m0b.manifest", R"({"include": "m0a.manifest"})");
  for (int level = 1; level <= 20; ++level) {
    const std::string below = "m" + std::to_string(level - 1);
    for (const char* side : {"a", "b"})
      write(khost.scratch / ("m" + std::to_string(level) + side + ".manifest"),
            R"({"include": [")" + below + R"(a.manifest", ")" + below + R"(b.manifest"]})");
  }
  const Finished o = khost({"plan", khost.scratch / "m20a.manifest"});
  INFO(o.err);
  CHECK(o.code == 0);
  CHECK(has(o.out, "2 arms = 4 trials"));
}

TEST_CASE("a trial's own batch is its first, fresh or not; gradients of dims that are switched off are 0") {
  const Khost khost;
  const std::string path = khost.manifest(R"("probes": [{"plugin": "ablation", "keep": [5, 2]}])");
  REQUIRE(khost({path, "--out", "fixed"}).code == 0);
  REQUIRE(khost({path, "--out", "fresh", "--set", "data.reuse=fresh"}).code == 0);
  const Json fixed = parse_json_file(khost.scratch / "fixed/summary.json").at("records");
  const Json fresh = parse_json_file(khost.scratch / "fresh/summary.json").at("records");
  CHECK(fixed.at("plain/A/loss/base") == fresh.at("plain/A/loss/base"));
  CHECK_FALSE(fixed.at("plain/A/loss/final") == fresh.at("plain/A/loss/final"));
  CHECK(fresh.at("plain/A/loss/final").at("values") == fresh.at("plain/A/ablation/keep5").at("values"));

  const std::string scheduled = khost.manifest(R"("probes": [
    {"plugin": "k_schedule", "ranks": [5, 2], "at": [0.5]}, {"plugin": "snr", "groups": [[0, 2], [2, "K"]], "batches": 16}])");
  REQUIRE(khost({scheduled, "--out", "scheduled"}).code == 0);
  const Json snr = parse_json_file(khost.scratch / "scheduled/summary.json").at("records");
  CHECK(snr.at("plain/A/snr/batch/0").at("n").as_integer() == 2);
  CHECK(snr.at("plain/A/snr/batch/1").at("n").as_integer() == 0);  // no gradient, no ratio
}
