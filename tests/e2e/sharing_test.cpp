// Several khosts, in other containers too, on one cache and one folder; closed descriptors; kills and interrupts at any time.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <utility>

#include "artifact/temporary.hpp"
#include "e2e/everything.hpp"
#include "e2e/khost_program.hpp"
#include "khost/safetensors.hpp"

namespace fs = std::filesystem;
using namespace khost::test;

namespace {

// What is being made, and what tells who makes it.
std::vector<std::string> unfinished(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code gone;
  for (auto at = fs::recursive_directory_iterator(folder, gone); at != fs::recursive_directory_iterator(); at.increment(gone)) {
    const std::string name = at->path().filename().string();
    if (khost::is_temporary_name(name) || name.ends_with(".lock") || at->path().parent_path().filename() == "owners")
      found.push_back(at->path().string());
  }
  return found;
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& s : list) text += s + "\n";
  return text;
}

// With a null to draw, the longer the more batches, and a file a trial.
std::string busy_manifest(const Khost& khost, int batches = 0) {
  return khost.manifest(R"("probes": [{"plugin": "snr", "groups": [[0, 2], [2, "K"]], "batches": )" + std::to_string(batches) +
                        R"(}, {"plugin": "trace"}])");
}
const std::vector<std::string> trained_base{"--set", R"(bases.plain={"train": ["*"], "steps": 20})"};

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<std::string> own_namespace{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"};

bool namespaces_permitted() {
  static const bool permitted = std::system("unshare --pid --fork --kill-child --mount-proc true 2>/dev/null") == 0;
  if (!permitted) MESSAGE("a pid namespace of its own is not permitted here: left out");
  return permitted;
}

}  // namespace

TEST_CASE("four processes and one --out: none dies, nothing is mixed") {
  const Khost khost;
  const std::string manifest = busy_manifest(khost);
  REQUIRE(khost({manifest, "--out", "alone", "--jobs", "1"}).code == 0);
  fs::remove_all(khost.scratch / "cache");
  std::vector<std::unique_ptr<Started>> all;
  for (int i = 0; i < 4; ++i)
    all.push_back(std::make_unique<Started>(khost, std::vector<std::string>{manifest, "--out", "shared", "--jobs", "1"}));
  for (auto& one : all) {
    const int code = one->wait();
    CHECK_MESSAGE(code == 0, one->err());
  }
  CHECK(records(khost, "shared") == records(khost, "alone"));
  CHECK(artifact_files(khost, "shared") == artifact_files(khost, "alone"));
  CHECK_MESSAGE(unfinished(khost.scratch.folder()).empty(), joined(unfinished(khost.scratch.folder())));
}

TEST_CASE("two and four khosts at one manifest and cache, one of them killed: the others, and its next run, lose nothing") {
  const Khost khost;
  const std::string manifest = everything(khost);
  REQUIRE(khost({manifest, "--out", "alone"}).code == 0);
  const std::string expected = records(khost, "alone");
  const auto files = artifact_files(khost, "alone");
  std::mt19937 random(4);
  for (const char* workers : {"threads", "processes"})
    for (const int khosts : {2, 4}) {
      CAPTURE(workers);
      CAPTURE(khosts);
      fs::remove_all(khost.scratch / "cache");
      const auto words = [&](int i) {
        return std::vector<std::string>{manifest,       "--out", "run" + std::to_string(i), "--jobs", "1", "--workers", workers,
                                        "--checkpoint", "0"};
      };
      std::vector<std::unique_ptr<Started>> all;
      for (int i = 0; i < khosts; ++i) all.push_back(std::make_unique<Started>(khost, words(i)));
      std::this_thread::sleep_for(std::chrono::milliseconds(300 + random() % 1500));
      all[0]->signal(SIGKILL);
      for (int i = 0; i < khosts; ++i) {
        const int code = all[static_cast<std::size_t>(i)]->wait();
        if (i > 0) CHECK_MESSAGE(code == 0, all[static_cast<std::size_t>(i)]->err());
      }
      const Finished next = khost(words(0));
      CHECK_MESSAGE(next.code == 0, next.err);
      for (int i = 0; i < khosts; ++i) {
        const std::string out = "run" + std::to_string(i);
        CHECK(records(khost, out) == expected);
        CHECK(artifact_files(khost, out) == files);
        fs::remove_all(khost.scratch / out);
      }
      CHECK_MESSAGE(unfinished(khost.scratch.folder()).empty(), joined(unfinished(khost.scratch.folder())));
    }
}

TEST_CASE("a folder that another run writes to is refused; the same run waits, and answers an interrupt") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  const std::vector<std::string> lasting{manifest, "--out", "shared", "--set", "steps=100000", "--jobs", "1"};
  Started first(khost, lasting);
  REQUIRE(first.until("at a time"));
  const Finished other = khost({manifest, "--out", "shared"});
  CHECK(other.code == 2);
  CHECK_MESSAGE(has(other.err, "another run writes to the folder shared"), other.err);
  CHECK(has(other.err, "--out names another folder"));
  Started same(khost, lasting);
  REQUIRE(same.until("waiting for process"));
  same.signal(SIGTERM);
  CHECK(same.wait() == 5);
  first.signal(SIGINT);
  CHECK(first.wait() == 5);
  CHECK(khost({manifest, "--out", "shared"}).code == 0);
}

#ifdef KHOST_NO_LOCKS  // a sanitizer wants to be preloaded first
TEST_CASE("a file system without locks: said once, and everything else is as it was") {
  const Khost khost;
  const std::map<std::string, std::string> without{{"LD_PRELOAD", KHOST_NO_LOCKS}};
  const std::string manifest = busy_manifest(khost);
  REQUIRE(khost({manifest, "--out", "alone", "--jobs", "1"}).code == 0);
  fs::remove_all(khost.scratch / "cache");
  std::vector<std::unique_ptr<Started>> all;
  for (int i = 0; i < 4; ++i) {
    const std::string out = i < 2 ? "shared" : "own-" + std::to_string(i);
    all.push_back(std::make_unique<Started>(khost, std::vector<std::string>{manifest, "--out", out, "--jobs", "1"},
                                            std::vector<std::string>{}, without));
  }
  for (auto& one : all) {
    const int code = one->wait();
    const std::string err = one->err();
    CHECK_MESSAGE(code == 0, err);
    const std::size_t at = err.find("has no locks (No locks available)");
    CHECK_MESSAGE(at != err.npos, err);
    CHECK(err.find("has no locks", at + 1) == err.npos);
  }
  for (const char* folder : {"shared", "own-2", "own-3"}) {
    CHECK(records(khost, folder) == records(khost, "alone"));
    CHECK(artifact_files(khost, folder) == artifact_files(khost, "alone"));
  }
  CHECK_MESSAGE(unfinished(khost.scratch.folder()).empty(), joined(unfinished(khost.scratch.folder())));

  Started killed(khost, {manifest, "--out", "killed", "--set", "steps=100000", "--jobs", "1"}, {}, without);
  REQUIRE(killed.until("at a time"));
  while (unfinished(khost.scratch / "cache/trials").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  Started beside(khost, {manifest, "--out", "own-2", "--jobs", "1"}, {}, without);
  CHECK(beside.wait() == 0);
  CHECK(unfinished(khost.scratch / "cache/trials").size() == 1);  // it lives
  killed.signal(SIGKILL);
  killed.wait();
  Started next(khost, {manifest, "--out", "killed", "--jobs", "1"}, {}, without);
  CHECK_MESSAGE(next.wait() == 0, next.err());
  CHECK_MESSAGE(unfinished(khost.scratch.folder()).empty(), joined(unfinished(khost.scratch.folder())));
}
#endif

#ifdef KHOST_SLOW_FSYNC
TEST_CASE("khost register: killed, the next run removes what it left; interrupted, it leaves nothing and ends with 5") {
  const Khost khost;
  const std::string manifest = khost.manifest(
      R"("claims": [{"id": "b", "let": {"b": "B/loss/final"}, "measure": "b", "predicts": "> 0", "margin": 1e-6}])");
  const std::map<std::string, std::string> slow{
      {"LD_PRELOAD", KHOST_SLOW_FSYNC}, {"KHOST_SLOW_FOLDER", "/registered/"}, {"KHOST_SLOW_MILLISECONDS", "5000"}};
  for (const int signal : {SIGKILL, SIGINT}) {
    CAPTURE(signal);
    fs::remove_all(khost.scratch / "cache");
    Started registering(khost, {"register", manifest}, {}, slow);
    const std::string folder = khost.scratch / "cache/claims/registered";
    while (unfinished(folder).empty()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    registering.signal(signal);
    const int code = registering.wait();
    if (signal == SIGKILL) {
      CHECK(code == 128 + SIGKILL);
      CHECK(!unfinished(folder).empty());
      CHECK(khost({manifest, "--out", "run"}).code == 0);
    } else {
      CHECK_MESSAGE(code == 5, registering.err());
      CHECK(has(registering.err(), "khost: interrupted"));
    }
    CHECK_MESSAGE(unfinished(khost.scratch / "cache").empty(), joined(unfinished(khost.scratch / "cache")));
  }
}

TEST_CASE("interrupted while the run's folder is written: that is finished first; a second signal ends it, and leaves no mess") {
  const Khost khost;
  const std::string manifest = busy_manifest(khost);
  REQUIRE(khost({manifest, "--out", "whole"}).code == 0);
  const std::map<std::string, std::string> slow{
      {"LD_PRELOAD", KHOST_SLOW_FSYNC}, {"KHOST_SLOW_FOLDER", "/slow/"}, {"KHOST_SLOW_MILLISECONDS", "400"}};
  const auto until_it_writes = [&] {
    while (!fs::exists(khost.scratch / "slow/resolved.manifest")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  Started once(khost, {manifest, "--out", "slow"}, {}, slow);
  until_it_writes();
  once.signal(SIGINT);
  CHECK(once.wait() == 0);  // all of it is done
  const std::string err = once.err();
  CHECK_MESSAGE(has(err, "interrupted: finishing first: writing slow (again ends it at once)"), err);
  CHECK_MESSAGE(!has(err, "warning"), err);
  CHECK(records(khost, "slow") == records(khost, "whole"));
  CHECK(artifact_files(khost, "slow") == artifact_files(khost, "whole"));
  CHECK_MESSAGE(unfinished(khost.scratch.folder()).empty(), joined(unfinished(khost.scratch.folder())));

  fs::remove_all(khost.scratch / "slow");
  Started twice(khost, {manifest, "--out", "slow"}, {}, slow);
  until_it_writes();
  twice.signal(SIGINT);
  REQUIRE(twice.until("finishing first"));
  twice.signal(SIGINT);
  CHECK(twice.wait() == 128 + SIGINT);
  CHECK(!unfinished(khost.scratch / "slow").empty());
  CHECK(khost({manifest, "--out", "slow"}).code == 0);
  CHECK(artifact_files(khost, "slow") == artifact_files(khost, "whole"));
  CHECK_MESSAGE(unfinished(khost.scratch.folder()).empty(), joined(unfinished(khost.scratch.folder())));
}
#endif

TEST_CASE("killed at any moment: the next run leaves nothing of it, and its figures are the same") {
  const Khost khost;
  const std::vector<std::string> arguments =
      std::vector<std::string>{busy_manifest(khost), "--out", "run", "--jobs", "2", "--threads", "1"} + trained_base;
  REQUIRE(khost(arguments).code == 0);
  const std::string expected = records(khost, "run");
  const auto whole = artifact_files(khost, "run");
  for (int i = 0; i < 9; ++i) {
    const bool lasting = i == 8;  // cannot end by itself: it surely leaves something
    if (i % 4 == 0) fs::remove_all(khost.scratch / "cache");
    std::vector<std::string> own = arguments;
    if (lasting) own.insert(own.end(), {"--set", "steps=100000"});
    Started killed(khost, own);
    if (lasting) {
      REQUIRE(killed.until("at a time"));
      while (unfinished(khost.scratch / "cache/trials").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    } else if (i % 2 == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(40 * i));
    } else {  // as soon as one more thing is being made than the time before
      std::set<std::string> seen;
      for (int look = 0; look < 2000 && seen.size() < static_cast<std::size_t>(1 + i); ++look) {
        for (const std::string& name : unfinished(khost.scratch / "cache")) seen.insert(name);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    killed.signal(SIGKILL);
    killed.wait();
    const auto before = unfinished(khost.scratch.folder());
    if (lasting) CHECK(!before.empty());
    CHECK(khost({"plan", arguments[0], "--set", "steps=6"}).code == 0);
    CHECK(unfinished(khost.scratch.folder()) == before);  // a plan deletes nothing
    const Finished next = khost(arguments);
    CHECK_MESSAGE(next.code == 0, next.err);
    CHECK_MESSAGE(unfinished(khost.scratch.folder()).empty(), joined(unfinished(khost.scratch.folder())));
    CHECK(records(khost, "run") == expected);
    CHECK(artifact_files(khost, "run") == whole);
  }
}

TEST_CASE("a khost in another pid namespace: its trials stay while it lives, and go when it was killed") {
  if (!namespaces_permitted()) return;
  const Khost khost;
  const std::string manifest = khost.manifest();
  Started inside(khost, {manifest, "--out", "inside", "--set", "steps=100000", "--jobs", "1"}, own_namespace);
  REQUIRE(inside.until("at a time"));
  const std::string trials = khost.scratch / "cache/trials";
  while (unfinished(trials).empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto live = unfinished(trials);
  CHECK(khost({manifest, "--out", "outside"}).code == 0);
  Started first(khost, {manifest, "--out", "beside", "--set", "steps=6"}, own_namespace);  // it is a process 1 as well
  CHECK_MESSAGE(first.wait() == 0, first.err());
  CHECK(unfinished(trials) == live);
  inside.signal(SIGKILL);
  inside.wait();
  CHECK(!unfinished(trials).empty());
  Started next(khost, {manifest, "--out", "beside", "--set", "steps=7"}, own_namespace);
  CHECK_MESSAGE(next.wait() == 0, next.err());
  CHECK_MESSAGE(unfinished(khost.scratch / "cache").empty(), joined(unfinished(khost.scratch / "cache")));
}

TEST_CASE(
    "descriptors that are closed: nothing lands in a file that was opened instead, and the exit code tells of lost output") {
  const Khost khost;
  const std::string manifest = busy_manifest(khost);
  REQUIRE(khost({manifest, "--out", "open"}).code == 0);
  struct Case {
    std::string closing;
    int code;
  };
  for (const Case& one : {Case{"2>&-", 0}, {"<&-", 0}, {">&-", 2}, {"<&- >&- 2>&-", 2}}) {
    CAPTURE(one.closing);
    fs::remove_all(khost.scratch / "cache/trials");
    const std::string command = "cd '" + khost.scratch.folder() + "' && KHOST_CACHE='" + khost.scratch / "cache" +
                                "' exec '" KHOST_BINARY_DIR "/bin/khost' '" + manifest + "' --out closed " + one.closing;
    CHECK(WEXITSTATUS(std::system(("( " + command + " ) >/dev/null 2>/dev/null").c_str())) == one.code);
    CHECK(records(khost, "closed") == records(khost, "open"));
    CHECK(artifact_files(khost, "closed") == artifact_files(khost, "open"));
  }
}

TEST_CASE("an artifact that cannot be written is told, after summary and records are written") {
  const Khost khost;
  const std::string manifest = busy_manifest(khost);
  REQUIRE(khost({manifest, "--out", "whole"}).code == 0);  // its trials are in the cache now
  const std::string artifact = fs::directory_iterator(khost.scratch / "whole/artifacts")->path().filename();
  fs::create_directories(khost.scratch / ("full/artifacts/" + artifact + "/in the way"));
  const Finished full = khost({manifest, "--out", "full"});
  CHECK_MESSAGE(full.code == 2, full.err);
  CHECK(has(full.err, "artifacts/" + artifact));
  CHECK(has(full.err, "1 artifact could not be copied"));
  CHECK(records(khost, "full") == records(khost, "whole"));
  CHECK(fs::exists(khost.scratch / "full/summary.json"));
  CHECK(has(full.out, "loss/final"));
  fs::remove_all(khost.scratch / ("full/artifacts/" + artifact));
  CHECK(khost({manifest, "--out", "full"}).code == 0);
  CHECK(artifact_files(khost, "full") == artifact_files(khost, "whole"));
}

TEST_CASE("a summary that cannot be written: the table is printed, a series goes on, and the exit code tells") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  write(khost.scratch / "series.manifest",
        R"({"khost": 1, "experiment": "both", "series": ["small.manifest", "second.manifest"]})");
  std::string second = read(manifest);
  second.replace(second.find("\"small\""), 7, "\"second\"");
  write(khost.scratch / "second.manifest", second);
  REQUIRE(khost({"series.manifest", "--out", "whole"}).code == 0);  // its trials are in the cache now
  for (const char* folder : {"full", "full-series/small", "full-series/second"})
    fs::create_directories(khost.scratch / (std::string(folder) + "/summary.json/in the way"));
  const Finished one = khost({manifest, "--out", "full"}), both = khost({"series.manifest", "--out", "full-series"});
  CHECK_MESSAGE(one.code == 2, one.err);
  CHECK(has(one.err, "full/summary.json': Is a directory"));
  CHECK(has(one.err, "1 of the run folder's files could not be written"));
  CHECK(has(one.err, "the same command writes them"));
  CHECK(has(one.out, "loss/final"));
  CHECK(has(one.out, "run folder: full\n"));
  CHECK(records(khost, "full") == records(khost, "whole/small"));
  CHECK(fs::exists(khost.scratch / "full/report.md"));
  CHECK_MESSAGE(both.code == 2, both.err);
  CHECK(has(both.out, "full-series/second\n"));
  CHECK(has(both.err, "2 of the run folder's files could not be written"));
  fs::remove_all(khost.scratch / "full/summary.json");
  CHECK(khost({manifest, "--out", "full"}).code == 0);
  CHECK(fs::is_regular_file(khost.scratch / "full/summary.json"));
}

TEST_CASE("another run into a folder removes the artifacts of the one before, and nothing else") {
  const Khost khost;
  const std::string folder = khost.scratch / "run/artifacts/";
  const std::vector<std::string> arguments{busy_manifest(khost), "--out", "run"};
  REQUIRE(khost(arguments).code == 0);
  const auto first = artifact_files(khost, "run");
  REQUIRE(first.contains("trace-plain-B-0.safetensors"));
  fs::copy_file(folder + "trace-plain-B-0.safetensors", folder + "mine-copy.safetensors");
  write(folder + "notes.txt", "mine");
  write(folder + "junk.safetensors", "not one");
  write(folder + "trace-plain-B-1.safetensors", "what its owner made of it");
  khost::write_safetensors(folder + "model.safetensors", {}, {{"format", "pt"}});
  fs::create_directory(folder + "folder.safetensors");
  REQUIRE(khost(arguments + std::vector<std::string>{"--set", R"(arms={"A": {}})"}).code == 0);
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder)) left.insert(entry.path().filename());
  CHECK(left == std::set<std::string>{"trace-plain-A-0.safetensors", "trace-plain-A-1.safetensors", "mine-copy.safetensors",
                                      "notes.txt", "junk.safetensors", "trace-plain-B-1.safetensors", "model.safetensors",
                                      "folder.safetensors"});
  CHECK(read(folder + "mine-copy.safetensors") == first.at("trace-plain-B-0.safetensors"));
}

TEST_CASE("two instances of a probe write two files") {
  const Khost khost;
  const std::string manifest = khost.manifest(
      R"("probes": [{"plugin": "trace", "signals": ["loss"]}, {"plugin": "trace", "as": "first", "signals": ["loss"], "steps": 1}])");
  const Finished done = khost({manifest, "--out", "run"});
  CHECK_MESSAGE(done.code == 0, done.err);
  CHECK(artifact_files(khost, "run").size() == 8);
  using khost::SafetensorsFile;
  CHECK(SafetensorsFile(khost.scratch / "run/artifacts/trace-plain-A-0.safetensors").names().size() == 5);
  CHECK(SafetensorsFile(khost.scratch / "run/artifacts/first-trace-plain-A-0.safetensors").names().size() == 1);
}

TEST_CASE("interrupted while a tokenizer trains, or nulls are drawn: exit code 5, and nothing is left") {
  const Khost khost;
  // Words enough that the tokenizer is not done before the signal comes.
  std::string text;
  unsigned state = 1;
  for (int i = 0; i < 400'000; ++i) {
    state = state * 1664525 + 1013904223;
    for (unsigned word = state >> 12; word; word /= 26) text += static_cast<char>('a' + word % 26);
    text += i % 50 == 49 ? "\n\n" : " ";
  }
  write(khost.scratch / "words.txt", text);
  const std::vector<std::string> words{
      khost.manifest(), "--set", R"(data={"plugin": "text", "files": ["words.txt"], "vocab": 3000, "sequence": 15, "batch": 2})"};
  const Finished tokenizer = khost(words, "building tokenizer");
  CHECK_MESSAGE(tokenizer.code == 5, tokenizer.err);
  CHECK(has(tokenizer.err, "khost: interrupted"));
  CHECK_MESSAGE(unfinished(khost.scratch.folder()).empty(), joined(unfinished(khost.scratch.folder())));

  const std::string probed = busy_manifest(khost, 16);
  const Finished nulls = khost({probed, "--jobs", "1"}, "building null");
  CHECK_MESSAGE(nulls.code == 5, nulls.err);
  CHECK_MESSAGE(unfinished(khost.scratch.folder()).empty(), joined(unfinished(khost.scratch.folder())));
  CHECK(khost({busy_manifest(khost), "--jobs", "2", "--threads", "1"}).code == 0);
}
