// khost export: records for other programs, and what a trial trained, which programs of their own (tests/reference) check.
#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>

#include "e2e/khost_program.hpp"
#include "khost/json.hpp"
#include "khost/safetensors.hpp"

namespace fs = std::filesystem;
using namespace khost;
using namespace khost::test;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

#ifdef KHOST_PYTHON3
constexpr const char* python = KHOST_PYTHON3;
#else
constexpr const char* python = "";
#endif

bool runs(const std::string& command) { return *python && std::system((python + (" " + command)).c_str()) == 0; }

// Whether there is a Python with that module; said where there is none.
bool has_python(const std::string& module) {
  const bool there = runs("-c 'import " + module + "' 2>/dev/null");
  if (!there) MESSAGE("no python3 with " << module << ": left out");
  return there;
}

// One of tests/reference; what it prints.
std::string checked(const Khost& khost, const std::string& script, const std::string& arguments) {
  const std::string out = khost.scratch / "checked";
  const bool right = runs("-B " KHOST_SOURCE_DIR "/tests/reference/" + script + " " + arguments + " >" + out + " 2>&1");
  CHECK_MESSAGE(right, script << " " << arguments << "\n" << read(out));
  return read(out);
}

double final_loss(const Khost& khost, const std::string& run, const std::string& arm) {
  const Finished o = khost({"export", run, "--to", "jsonl", "--arm", arm, "--seed", "0", "loss/final"});
  INFO(o.err);
  REQUIRE(o.code == 0);
  return parse_json(o.out, "out").at("value").as_number();
}

// Adapters of every kind, on a base that was trained, and so on matrices that are not all alike.
std::string adapters(const Khost& khost) {
  const std::string path = khost.scratch / "adapters.manifest";
  write(path, R"({
  "khost": 1, "experiment": "adapters", "seeds": 1, "steps": 12, "plugin_path": [")" KHOST_PAGE_PLUGINS R"("],
  "data": {"plugin": "synthetic", "vocab": 101, "sequence": 15, "batch": 2},
  "model": {"plugin": "gpt", "d_model": 24, "n_layer": 2, "n_head": 3},
  "optimizer": {"plugin": "adam", "lr": 2e-2},
  "adapter": {"rank": 6},
  "bases": {"trained": {"train": ["*"], "steps": 20, "data": {"batch": 4}, "optimizer": {"plugin": "adam", "lr": 3e-3}}},
  "arms": {
    "diagonal": {}, "ranks": {"adapter": {"rank": {"default": 5, "layer.*.mlp.*": 9, "layer.0.attn.qkv": 0}}},
    "block": {"adapter": {"core": "block", "rank": 4}}, "factors": {"adapter": {"core": "factors", "rank": 4}},
    "bidiagonal": {"adapter": {"core": "bidiagonal", "rank": 4}}, "random": {"adapter": {"basis": "random"}},
    "gradient": {"adapter": {"basis": "gradient"}},
    "scheduled": {"probes": [{"plugin": "k_schedule", "ranks": [2, 4, 6], "at": [0.3, 0.6]}]},
    "dropped": {"probes": [{"plugin": "alpha_dropout", "rate": 0.3}, {"plugin": "trace"}]},
    "fresh": {"data": {"reuse": "fresh"}},
    "uniform": {"probes": [{"plugin": "effective_rank"}]},
    "adaptive": {"needs": "uniform", "probes": [{"plugin": "adaptive_k", "from": "uniform/effective_rank", "c": 0.62, "assign": "er"}]},
    "lora": {"adapter": {"plugin": "lora", "rank": {"default": 4, "layer.1.*": 2}, "alpha": 8}},
    "rslora": {"adapter": {"plugin": "lora", "rank": 4, "alpha": 3, "scaling": "rslora"}},
    "dora": {"adapter": {"plugin": "dora", "rank": {"default": 4, "tok_emb": 0}, "alpha": 8}},
    "dora-all": {"adapter": {"plugin": "dora", "rank": 4, "alpha": 8}},
    "rank_one": {"adapter": {"plugin": "rank_one"}},
    "full": {"adapter": null, "train": ["@matrices"], "optimizer": {"plugin": "sgd", "lr": 0.1}}
  }})");
  return path;
}

}  // namespace

TEST_CASE("records go out as csv, which is records.csv, and as jsonl, a record a line") {
  const Khost khost;
  REQUIRE(khost({khost.manifest(R"("probes": [{"plugin": "snr", "groups": [[0, 2], [2, "K"]]}])"), "--out", "run"}).code == 0);
  REQUIRE(khost({"export", "run", "--to", "csv", "--out", "all.csv"}).code == 0);
  CHECK(read(khost.scratch / "all.csv") == records(khost, "run"));
  const Finished csv = khost({"export", "run", "--to", "csv"});
  CHECK(csv.err.empty());
  const auto rows = lines_of(csv.out);
  CHECK(rows.front() == "base,arm,draw,seed,probe,name,step,value,unit");

  const Finished jsonl = khost({"export", "run", "--to=jsonl"});
  const auto lines = lines_of(jsonl.out);
  REQUIRE(lines.size() == rows.size() - 1);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Json record = parse_json(lines[i], "line");
    const auto text = [&](const char* key) {
      return record.at(key).is_null() ? "" : record.at(key).is_string() ? record.at(key).as_string() : record.at(key).text();
    };
    std::string row;
    for (const char* key : {"base", "arm", "draw", "seed", "probe", "name", "step"}) row += text(key) + ",";
    CHECK(rows[i + 1].starts_with(row));
    CHECK(rows[i + 1].ends_with("," + text("unit")));
    const std::string value = rows[i + 1].substr(row.size(), rows[i + 1].size() - row.size() - text("unit").size() - 1);
    CHECK((value.empty() ? record.at("value").is_null() : std::stod(value) == record.at("value").as_number()));
  }

  CHECK(lines_of(khost({"export", "run", "--to", "jsonl", "loss/final", "--arm", "B"}).out).size() == 2);
  CHECK(lines_of(khost({"export", "run", "--to", "jsonl", "loss/final", "--seed", "1", "--draw", "0"}).out).size() == 2);
}

TEST_CASE("what is asked of an export that is not there is refused with what there is") {
  const Khost khost;
  REQUIRE(khost({khost.manifest(), "--out", "run"}).code == 0);
  const auto refused = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"export", "run"});
    const Finished o = khost(arguments);
    CHECK_MESSAGE(o.code == 2, o.err);
    CHECK(o.out.empty());
    return o.err;
  };
  CHECK(has(refused({}), "one of csv, jsonl, tensorboard, peft, merged, factors, base"));
  CHECK(has(refused({"--to", "json"}), "did you mean 'jsonl'?"));
  CHECK(has(refused({"--to", "parquet"}), "DuckDB"));
  CHECK(has(refused({"--to", "csv", "--arm", "a"}), "the arms: A, B"));
  CHECK(has(refused({"--to", "csv", "--base", "plan"}), "did you mean 'plain'?"));
  CHECK(has(refused({"--to", "csv", "--seed", "7"}), "the seeds: 0, 1"));
  CHECK(has(refused({"--to", "csv", "--draw", "1"}), "the draws: 0"));
  CHECK(has(refused({"--to", "csv", "loss/finale"}), "did you mean 'loss/final'?"));
  CHECK(has(refused({"--to", "peft", "--arm", "A", "--seed", "0"}), "--out names it"));
  CHECK(
      has(refused({"--to", "peft", "--arm", "A", "--out", "x"}), "2 fit: arm A, base plain, seed 0, arm A, base plain, seed 1"));
  CHECK(has(refused({"--to", "peft", "--arm", "C", "--out", "x"}), "the arms: A, B"));
  CHECK(has(refused({"--to", "merged", "loss/final", "--out", "x"}), "names records"));
  CHECK(has(refused({"--to", "csv", "--out", "none/x.csv"}), "none/x.csv"));
  fs::create_directories(khost.scratch / "mine");
  write(khost.scratch / "mine/notes", "");
  for (const char* to : {"peft", "merged", "factors", "base", "tensorboard"})
    CHECK(has(refused({"--to", to, "--arm", "A", "--seed", "0", "--out", "mine"}), "khost export did not write it"));
  CHECK_FALSE(fs::exists(khost.scratch / "x"));
}

TEST_CASE("an adapter in PEFT's form, merged, and as factors, is what the trial trained: merged and evaluated in NumPy") {
  if (!has_python("numpy")) return;
  const Khost khost;
  const Finished run = khost({adapters(khost), "--out", "run"});
  REQUIRE_MESSAGE(run.code == 0, run.err);
  const auto exported = [&](const std::string& to, const std::string& arm, const std::string& out) {
    return khost({"export", "run", "--to", to, "--arm", arm, "--base", "trained", "--seed", "0", "--out", out});
  };
  REQUIRE(khost({"export", "run", "--to", "base", "--base", "trained", "--out", "base"}).code == 0);
  const std::string base = khost.scratch / "base ", merged = khost.scratch / "merged ";
  for (const std::string arm : {"diagonal", "ranks", "block", "factors", "bidiagonal", "random", "gradient", "scheduled",
                                "dropped", "fresh", "adaptive", "lora", "rslora", "dora"}) {
    CAPTURE(arm);
    const Finished o = exported("merged", arm, "merged");
    REQUIRE_MESSAGE(o.code == 0, o.err);
    CHECK(has(o.err, "the one of the run to the last bit"));
    CHECK(has(o.err, "arm " + arm + ", base trained, seed 0: a run keeps no trained weights, so it is computed again"));
    const Finished peft = exported("peft", arm, "peft");
    REQUIRE_MESSAGE(peft.code == 0, peft.err);
    const bool written = has(arm, "ora");
    REQUIRE(exported("factors", arm, "factors").code == 0);
    std::ostringstream arguments;
    arguments.precision(17);
    arguments << base << merged << final_loss(khost, "run", arm) << " --peft " << khost.scratch / "peft"
              << (written ? "" : " --factors " + (khost.scratch / "factors"));
    MESSAGE(arm << ": " << checked(khost, "export_check.py", arguments.str()));
  }
  for (const std::string arm : {"dora-all", "rank_one", "full"}) {
    CAPTURE(arm);
    REQUIRE(exported("merged", arm, "merged").code == 0);
    std::ostringstream arguments;
    arguments.precision(17);
    arguments << base << merged << final_loss(khost, "run", arm);
    MESSAGE(arm << ": " << checked(khost, "export_check.py", arguments.str()));
  }
  CHECK(has(exported("peft", "dora-all", "new").err, "PEFT's of an embedding are of its columns"));
  CHECK(has(exported("peft", "rank_one", "new").err, "not 'rank_one'"));
  CHECK(has(exported("peft", "full", "new").err, "--to merged"));
  CHECK(has(exported("factors", "full", "new").err, "this trial has no adapter"));
  CHECK_FALSE(fs::exists(khost.scratch / "new"));

  // Nothing of that is left in the cache, and a base that is gone is made again.
  for (const auto& entry : fs::directory_iterator(khost.scratch / "cache/trials"))
    CHECK_FALSE(has(entry.path().filename().string(), "exported"));
  REQUIRE(exported("merged", "block", "before").code == 0);
  fs::remove_all(khost.scratch / "cache");
  const Finished anew = exported("merged", "block", "after");
  REQUIRE_MESSAGE(anew.code == 0, anew.err);
  CHECK(has(anew.err, "base trained is not in the cache, and is made again"));
  CHECK(read(khost.scratch / "before/model.safetensors") == read(khost.scratch / "after/model.safetensors"));
}

TEST_CASE("a merged model is a base of another run, whose first loss is its trial's last") {
  const Khost khost;
  REQUIRE(khost({khost.manifest(), "--out", "run", "--set", "optimizer.lr=0.05"}).code == 0);
  const Finished merged = khost({"export", "run", "--to", "merged", "--arm", "A", "--seed", "0", "--out", "merged"});
  REQUIRE_MESSAGE(merged.code == 0, merged.err);
  write(khost.scratch / "on.manifest",
        R"({"include": "small.manifest", "experiment": "on", "bases": {"merged": {"file": "merged/model.safetensors"}}})");
  const Finished on = khost({khost.scratch / "on.manifest", "--out", "on"});
  REQUIRE_MESSAGE(on.code == 0, on.err);
  const auto loss = [&](const char* run, const char* base, const char* name) {
    const Finished o = khost({"export", run, "--to", "jsonl", "--base", base, "--arm", "A", "--seed", "0", name});
    REQUIRE_MESSAGE(o.code == 0, o.err);
    return parse_json(o.out, "out").at("value").as_number();
  };
  const double last = loss("run", "plain", "loss/final");
  CHECK(loss("on", "merged", "loss/base") == doctest::Approx(last).epsilon(1e-6));
  CHECK(loss("run", "plain", "loss/base") - last > 0.01);
}

TEST_CASE("a base with several draws: each is another model, and has trials and events of its own") {
  const Khost khost;
  write(khost.scratch / "draws.manifest", R"({"include": "small.manifest", "seeds": 1, "bases": {"plain": {"base_draws": 2}}})");
  khost.manifest();
  REQUIRE(khost({khost.scratch / "draws.manifest", "--out", "run"}).code == 0);
  const auto exported = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"export", "run"});
    return khost(more);
  };
  CHECK(has(exported({"--to", "base", "--out", "b"}).err, "2 fit: base plain, base plain (draw 1)"));
  CHECK(has(exported({"--to", "peft", "--arm", "A", "--out", "b"}).err,
            "2 fit: arm A, base plain, seed 0, arm A, base plain (draw 1)"));
  for (const std::string draw : {"0", "1"}) {
    REQUIRE(exported({"--to", "base", "--draw", draw, "--out", "base" + draw}).code == 0);
    const Finished merged = exported({"--to", "merged", "--arm", "A", "--draw", draw, "--out", "merged" + draw});
    CHECK_MESSAGE(merged.code == 0, merged.err);
  }
  CHECK(read(khost.scratch / "base0/model.safetensors") != read(khost.scratch / "base1/model.safetensors"));
  REQUIRE(exported({"--to", "tensorboard", "--out", "e"}).code == 0);
  CHECK(fs::exists(khost.scratch / "e/small/plain/A/seed0/events.out.tfevents.0.khost"));
  CHECK(fs::exists(khost.scratch / "e/small/plain/A/draw1-seed0/events.out.tfevents.0.khost"));
  CHECK(lines_of(exported({"--to", "jsonl", "loss/final", "--draw", "1"}).out).size() == 2);
}

TEST_CASE("a trial that comes out otherwise than in its run is not exported, unless it is asked for") {
  if (!has_python("sqlite3")) return;
  const Khost khost;
  REQUIRE(khost({khost.manifest(), "--out", "run"}).code == 0);
  const auto change = [&](const std::string& sql) {
    REQUIRE(runs("-c \"import sqlite3; db = sqlite3.connect('" + (khost.scratch / "run/run.db") + "'); db.execute('''" + sql +
                 "'''); db.commit()\""));
  };
  const std::vector<std::string> words{"export", "run", "--to", "merged", "--arm", "A", "--seed", "1", "--out", "m"};
  change("UPDATE trial SET hash = 'abc', identity = json_set(identity, '$.code.compiler', 'another')");
  const Finished other = khost(words);
  CHECK_MESSAGE(other.code == 0, other.err);
  CHECK(has(other.err, "warning: it is not computed with what the run computed it with"));
  CHECK(has(other.err, "code.compiler"));
  CHECK(has(other.err, "to the last bit"));
  change(
      "UPDATE point SET value = value + 0.001 WHERE step < 0 AND series IN (SELECT id FROM series WHERE probe = 'loss' AND name "
      "= 'final')");
  fs::remove_all(khost.scratch / "m");
  const Finished refused = khost(words);
  CHECK(refused.code == 4);
  CHECK(has(refused.err, "a difference of -0.001 nats"));
  CHECK_FALSE(fs::exists(khost.scratch / "m"));
  std::vector<std::string> anyway = words;
  anyway.push_back("--anyway");
  const Finished taken = khost(anyway);
  CHECK(taken.code == 0);
  CHECK(has(taken.err, "warning: its final loss is"));
  CHECK(fs::exists(khost.scratch / "m/model.safetensors"));

  change("UPDATE trial SET status = 'failed', message = 'the loss became NaN' WHERE arm = 'A' AND seed = 1");
  change("UPDATE trial SET status = 'running' WHERE arm = 'A' AND seed = 0");
  const Finished failed = khost(words);
  CHECK(failed.code == 2);
  CHECK(has(failed.err, "arm A, base plain, seed 1 failed, and trained nothing to export: the loss became NaN"));
  CHECK(has(khost({"export", "run", "--to", "peft", "--arm", "A", "--seed", "0", "--out", "m"}).err, "is not finished: running"));
  const Finished rest = khost({"export", "run", "--to", "jsonl", "loss/final"});
  CHECK(rest.code == 0);
  CHECK(lines_of(rest.out).size() == 2);
  CHECK(has(rest.err, "not exported: arm A, base plain, seed 1: failed: the loss became NaN"));
  CHECK(has(rest.err, "not exported: arm A, base plain, seed 0: running"));
}

TEST_CASE("a file that cannot be written whole is not there, and the error names it") {
  const Khost khost;
  REQUIRE(khost({khost.manifest(), "--out", "run", "--set", "steps=300"}).code == 0);
  const auto limited = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"export", "run"});
    Started started(khost, arguments, {"sh", "-c", "ulimit -f 4; exec \"$@\"", "sh"});  // 2 or 4 KiB
    CHECK(started.wait() == 2);
    return started.err();
  };
  for (const char* to : {"csv", "jsonl"}) {
    CHECK(has(limited({"--to", to, "--out", "small"}), "cannot write 'small'"));
    CHECK_FALSE(fs::exists(khost.scratch / "small"));
  }
  CHECK(has(limited({"--to", "base", "--out", "b"}), "b/model.safetensors"));
  CHECK_FALSE(fs::exists(khost.scratch / "b/model.safetensors"));
  CHECK(has(limited({"--to", "tensorboard", "--out", "e"}), "events.out.tfevents"));
  CHECK(khost({"export", "run", "--to", "base", "--out", "b"}).code == 0);  // the folder is khost's
}

TEST_CASE("TensorBoard's event files have every record, of a run that is there and of one while it goes") {
  if (!has_python("struct")) return;
  const Khost khost;
  const std::string manifest =
      khost.manifest(R"("probes": [{"plugin": "gradient_cosine"}, {"plugin": "snr", "groups": [[0, 2], [2, "K"]]}])");
  for (const std::string workers : {"threads", "processes"}) {
    CAPTURE(workers);
    fs::remove_all(khost.scratch / "cache");
    const Finished run = khost({manifest, "--out", "run", "--workers", workers, "--tensorboard", "live-" + workers});
    REQUIRE_MESSAGE(run.code == 0, run.err);
    REQUIRE(khost({"export", "run", "--to", "jsonl", "--out", "all.jsonl"}).code == 0);
    const std::string want = " " + (khost.scratch / "all.jsonl") + " small";
    MESSAGE(checked(khost, "events_check.py", khost.scratch / ("live-" + workers) + want));
    REQUIRE(khost({"export", "run", "--to", "tensorboard", "--out", "events"}).code == 0);  // twice: the first is replaced
    checked(khost, "events_check.py", khost.scratch / "events" + want);
  }
  // All from the cache, into the same folder.
  REQUIRE(khost({manifest, "--out", "run", "--tensorboard", "live-threads"}).code == 0);
  checked(khost, "events_check.py", khost.scratch / "live-threads" + " " + (khost.scratch / "all.jsonl") + " small");
  const Finished other = khost({manifest, "--seeds", "3", "--tensorboard", "live-threads"});
  CHECK(other.code == 2);
  CHECK(has(other.err, "holds events of another run of small"));
  REQUIRE(khost({"export", "run", "--to", "jsonl", "--arm", "B", "loss/*", "--out", "some.jsonl"}).code == 0);
  REQUIRE(khost({"export", "run", "--to", "tensorboard", "--arm", "B", "loss/*", "--out", "some"}).code == 0);
  checked(khost, "events_check.py", khost.scratch / "some" + " " + (khost.scratch / "some.jsonl") + " small");
}

TEST_CASE("events are there while a trial runs, and are whole when it went on from a checkpoint") {
  if (!has_python("struct")) return;
  const Khost khost;
  const std::vector<std::string> words{khost.manifest(), "--out",         "run",    "--jobs",       "1", "--seeds", "1", "--set",
                                       "steps=3000",     "--tensorboard", "events", "--checkpoint", "0"};
  Started run(khost, words);
  const std::string first = khost.scratch / "events/small/plain/A/seed0/events.out.tfevents.0.khost";
  std::error_code none;
  for (int i = 0; i < 6000 && (!fs::exists(first, none) || fs::file_size(first, none) < 4000); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  run.signal(SIGINT);
  REQUIRE(run.wait() == 5);
  CHECK(fs::file_size(first) >= 4000);
  const Finished next = khost(words);
  REQUIRE_MESSAGE(next.code == 0, next.err);
  REQUIRE(khost({"export", "run", "--to", "jsonl", "--out", "all.jsonl"}).code == 0);
  checked(khost, "events_check.py", khost.scratch / "events " + (khost.scratch / "all.jsonl") + " small");
}
