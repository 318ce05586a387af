// What a run leaves and tells, and the commands on it: show, report, claims, clean; and what a plan makes of an earlier run.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <sstream>
#include <thread>

#include "e2e/khost_program.hpp"
#include "khost/json.hpp"

using namespace khost;
using namespace khost::test;

TEST_CASE("show prints the records that are named, report makes the folder's files again from run.db alone") {
  const Khost khost;
  REQUIRE(khost({khost.manifest(), "--out", "run"}).code == 0);
  const auto show = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"show", "run"});
    return khost(more);
  };
  const Finished all = show({}), loss = show({"loss/final", "--arm", "B"}), seeds = show({"B/loss/final", "--seeds"}),
                 curve = show({"loss/train", "--arm", "A", "--seed", "1"});
  INFO(all.err, loss.err, seeds.err, curve.err);
  CHECK(has(all.out, "loss/base"));
  CHECK(has(loss.out, "  B\n    loss/final"));
  CHECK_FALSE(has(loss.out, "  A\n"));
  CHECK(has(seeds.out, "plain/B"));
  CHECK(has(seeds.out, "seed 0"));
  CHECK(has(curve.out, "plain/A/loss/train (nats), 1 trial\n"));

  // The same numbers as CSV, as JSON and in records.csv, to the last digit.
  std::string csv = read(khost.scratch / "run/records.csv");
  std::erase(csv, '\r');
  CHECK(show({"--csv"}).out.size() == csv.size());
  const std::string head = csv.substr(0, csv.find('\n') + 1);
  const Finished one = show({"plain/A/loss/train", "--seed", "1", "--csv"});
  CHECK(one.out.starts_with(head));
  CHECK(has(csv, one.out.substr(head.size())));
  const Json json = parse_json(show({"loss/train", "--json", "--arm", "A"}).out, "show");
  REQUIRE(json.as_list().size() == 1);
  CHECK(json.as_list()[0].at("record").as_string() == "plain/A/loss/train");
  CHECK(json.as_list()[0].at("trials").as_list().size() == 2);
  CHECK(json.as_list()[0].at("trials").as_list()[1].at("steps").as_list().size() == 5);

  for (const auto& [words, expected] : std::vector<std::pair<std::vector<std::string>, const char*>>{
           {{"los/final"}, "no record of this run is named 'los/final'"},
           {{"--arm", "C"}, "this run has no arm 'C'"},
           {{"--seed", "7"}, "this run has no seed '7'"},
           {{"--csv", "--json"}, "exclude each other"}}) {
    const Finished wrong = show(words);
    CHECK(wrong.code == 2);
    CHECK_MESSAGE(has(wrong.err, expected), wrong.err);
  }
  CHECK(has(khost({"show", "nowhere"}).err, "there is no run in 'nowhere'"));

  const std::vector<std::string> files = {"summary.json", "records.csv", "report.md", "report.html", "resolved.manifest"};
  std::map<std::string, std::string> before;
  for (const std::string& file : files) {
    before[file] = read(khost.scratch / ("run/" + file));
    std::filesystem::remove(khost.scratch / ("run/" + file));
  }
  const Finished again = khost({"report", "run"});
  CHECK_MESSAGE(again.code == 0, again.err);
  CHECK(has(again.out, "run folder: run"));
  for (const std::string& file : files) CHECK_MESSAGE(read(khost.scratch / ("run/" + file)) == before[file], file);
}

TEST_CASE("a run tells scripts what happens, an object a line, and is quiet when it is told to be") {
  const Khost khost;
  const Finished json = khost({khost.manifest(), "--out", "run", "--json"});
  REQUIRE_MESSAGE(json.code == 0, json.err);
  CHECK(json.err == "");
  std::map<std::string, int> events;
  std::istringstream lines(json.out);
  Json last;
  for (std::string line; std::getline(lines, line);) {
    last = parse_json(line, "an event");
    const std::string event = last.at("event").as_string();
    ++events[event];
    if (event == "finished") {
      CHECK(last.at("status").as_string() == "done");
      CHECK(last.at("loss_final").as_number() < last.at("loss_base").as_number());
    }
  }
  CHECK(events["trials"] == 1);
  CHECK(events["started"] == 4);
  CHECK(events["finished"] == 4);
  CHECK(last.at("event").as_string() == "run");
  CHECK(last.at("folder").as_string() == "run");
  CHECK(last.at("failed").as_integer() == 0);
  const std::string page = read(KHOST_SOURCE_DIR "/docs/concepts/run.md");
  for (const auto& [event, count] : events) CHECK_MESSAGE(has(page, "| `" + event + "` |"), event);

  const Finished quiet = khost({khost.manifest(), "--out", "run", "--quiet"});
  CHECK(quiet.code == 0);
  CHECK(quiet.err == "");
  CHECK(has(quiet.out, "run folder: run"));
  CHECK(khost({khost.manifest(), "--quiet", "--json"}).code == 2);
}

TEST_CASE("plan says why trials that an earlier run had are to be computed, and what goes on from a checkpoint") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  const auto plan = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"plan", manifest});
    return khost(more).out;
  };
  CHECK_FALSE(has(plan({}), "against the last run"));
  REQUIRE(khost({manifest}).code == 0);
  CHECK_FALSE(has(plan({}), "against the last run"));  // nothing is left
  const std::string longer = plan({"--set", "steps=6"}), more = plan({"--seeds", "3"}),
                    other = plan({"--set", "arms.A.optimizer.lr=0.25", "--backend", "reference"});
  CHECK_MESSAGE(has(longer, "against the last run, runs/small/"), longer);
  CHECK_MESSAGE(has(longer, "      4 trials: steps 5 -> 6"), longer);
  CHECK_MESSAGE(has(more, "      2 trials: a trial that it has not finished"), more);
  CHECK_MESSAGE(has(other, "\"reference\""), other);
  CHECK_MESSAGE(has(other, "lr 0.005 -> 0.25"), other);
  REQUIRE(khost({"clean", "--only", "trials", "--yes"}).code == 0);
  CHECK_MESSAGE(has(plan({}), "      4 trials: the same trial, no longer in the cache"), plan({}));

  Started run(khost, {manifest, "--jobs", "1", "--set", "steps=100000", "--checkpoint", "0"});
  std::error_code none;
  for (int i = 0; i < 6000 && !std::filesystem::exists(khost.scratch / "cache/checkpoints", none); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  run.signal(SIGINT);
  REQUIRE(run.wait() == 5);
  CHECK_MESSAGE(has(plan({"--set", "steps=100000"}), "1 of those left go on from a checkpoint"), plan({"--set", "steps=100000"}));
}

TEST_CASE("a warning in the third experiment of a series is said, and so is one in the second") {
  const Khost khost;
  std::string list;
  for (const char* name : {"one", "two", "three"}) {
    const std::string path = khost.manifest("", std::string(name) + ".manifest");
    std::string text = read(path);
    text.replace(text.find("\"small\""), 7, "\"" + std::string(name) + "\"");
    text.replace(text.find("\"steps\": 5"), 10, "\"steps\": " + std::to_string(4 + list.size()));  // trials of its own
    write(path, text);
    list += (list.empty() ? "\"" : ", \"") + std::string(name) + ".manifest\"";
  }
  write(khost.scratch / "all.manifest", R"({"khost": 1, "experiment": "all", "series": [)" + list + "]}");
  REQUIRE(khost({"all.manifest", "--out", "all"}).code == 0);
  for (const auto& entry : std::filesystem::directory_iterator(khost.scratch / "cache/trials"))
    write(entry.path() / "trial.json", "{");
  const Finished again = khost({"all.manifest", "--out", "all"});
  CHECK(again.code == 0);
  std::size_t warnings = 0;
  for (std::size_t at = again.err.find(": damaged, "); at != std::string::npos; at = again.err.find(": damaged, ", at + 1))
    ++warnings;
  CHECK(warnings >= 12);  // each trial when it is looked for, and when its place is taken
  CHECK_FALSE(has(again.err, "LOG ERROR"));
}

TEST_CASE(
    "show of a run that has not come to its end: what is not finished is not failed; a re-run keeps verdicts until its end") {
  const Khost khost;
  const std::string manifest = khost.manifest(
      R"("probes": [{"plugin": "effective_rank"}], "claims": [{"id": "lower", "let": {"a": "A/loss/final", "b": "B/loss/final"},
         "measure": "b - a", "predicts": "< 0 nats", "margin": 1e-6}])");
  const std::vector<std::string> words{manifest, "--out", "run", "--jobs", "1", "--set", "steps=2000"};
  REQUIRE(khost({manifest, "--out", "whole"}).code == 0);
  const auto stop = [&](std::vector<std::string> more) {
    std::vector<std::string> all = words;
    all.insert(all.end(), more.begin(), more.end());
    Started run(khost, all);
    REQUIRE(run.until("[1/4]"));
    run.signal(SIGINT);
    REQUIRE(run.wait() == 5);
    return run.err();
  };
  stop({});
  const Finished shown = khost({"show", "run"}), claims = khost({"claims", "run"});
  CHECK_MESSAGE(has(shown.out, " not finished"), shown.out);
  CHECK_MESSAGE(!has(shown.out, "failed"), shown.out);
  CHECK(claims.code == 2);
  CHECK(has(claims.err, "are not judged yet"));
  const Finished report = khost({"report", "run"});
  CHECK_MESSAGE(report.code == 0, report.err);
  CHECK(has(report.err, "has not come to its end"));
  CHECK(has(read(khost.scratch / "run/report.html"), "has not come to its end"));
  REQUIRE(khost(words).code == 0);
  const std::string verdicts = khost({"claims", "run"}).out;
  CHECK(has(stop({"--fresh"}), "with --fresh the same command computes all of them once more"));
  const Finished kept = khost({"claims", "run"});
  CHECK(kept.code == 0);
  CHECK(kept.out == verdicts);
  CHECK(has(kept.err, "the verdicts of this run's last end"));

  // A record that has steps and a figure of the whole trial is both.
  const Finished both = khost({"show", "whole", "A/effective_rank/in_basis"});
  CHECK_MESSAGE(has(both.out, "noise gives"), both.out);
  CHECK_MESSAGE(has(both.out, "    effective_rank/in_basis "), both.out);
  CHECK_MESSAGE(has(both.out, "plain/A/effective_rank/in_basis (dims), 2 trials\n"), both.out);
  CHECK_FALSE(has(both.out, "  -1 "));
}

TEST_CASE("clean shows what takes room, removes what it is told to and nothing without --yes; what is gone is computed again") {
  const Khost khost;
  REQUIRE(khost({khost.manifest(), "--out", "runs/run"}).code == 0);
  const std::string before = records(khost, "runs/run");
  const Finished shown = khost({"clean", "--runs", "runs"}), asked = khost({"clean", "--only", "trials"});
  INFO(shown.err, asked.err);
  CHECK(has(shown.out, "  trials        4"));
  CHECK(has(shown.out, "\n  runs "));
  CHECK(has(shown.out, "nothing is removed"));
  CHECK(has(asked.out, "4 entries, "));
  CHECK(has(asked.out, "would be removed; --yes removes them"));
  CHECK(has(khost({khost.manifest(), "--out", "runs/run"}).out, "4 from the cache"));
  CHECK(has(khost({"clean", "--older", "1", "--yes"}).out, "0 entries, 0 B, removed"));
  CHECK(has(khost({"clean", "--only", "trials", "--yes"}).out, "4 entries, "));
  CHECK(has(khost({khost.manifest(), "--out", "runs/run"}).out, "4 trials: 4 run"));
  CHECK(records(khost, "runs/run") == before);
  CHECK(has(khost({"clean", "--shrink-to", "0", "--runs", "runs", "--yes"}).out, "removed"));
  CHECK_FALSE(std::filesystem::exists(khost.scratch / "runs/run"));
  CHECK(std::filesystem::exists(khost.scratch / "cache/claims"));
  const Finished size = khost({"clean", "--shrink-to", "much"}), kind = khost({"clean", "--only", "trial"});
  CHECK(size.code == 2);
  CHECK(has(size.err, "--shrink-to takes a size, found 'much'"));
  CHECK(kind.code == 2);
}
