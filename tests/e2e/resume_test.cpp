// What a run that was broken off loses: nothing but the step in hand. It goes on from there, and its records are those of one
// that was left alone, to the last bit.
#include <SQLiteCpp/Database.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>

#include "e2e/everything.hpp"
#include "e2e/khost_program.hpp"
#include "khost/json.hpp"

namespace fs = std::filesystem;
using namespace khost;
using namespace khost::test;

namespace {

std::size_t checkpoints(const Khost& khost) {
  std::error_code none;
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(khost.scratch / "cache/checkpoints", none)) ++count;
  return count;
}

// Ends it amid a trial, with its checkpoint kept: what it said. A signal that came between two trials is none of those, nor one
// that came after the last.
std::string break_off(const Khost& khost, const std::vector<std::string>& words, int signal) {
  // How long until trials are under way depends on what else the machine does: too early waits longer, too late shorter.
  std::chrono::duration<double> wait = std::chrono::milliseconds(300);
  for (int attempt = 0;; ++attempt) {
    fs::remove_all(khost.scratch / "cache");
    Started run(khost, words);
    REQUIRE(run.until("at a time"));
    std::this_thread::sleep_for(wait);
    run.signal(signal);
    const int code = run.wait();
    if (code == 5 && checkpoints(khost) == 1) return run.err();
    const bool may_be = attempt < 20 && (code == 0 || code == 5);
    REQUIRE_MESSAGE(may_be, run.err());
    wait *= code == 0 ? 0.7 : 1.45;  // not each other's inverse: no two lengths in turn
  }
}

bool is_whole(const Khost& khost, const std::string& folder) {
  const std::string path = khost.scratch / (folder + "/run.db");
  return !fs::exists(path) ||
         SQLite::Database(path, SQLite::OPEN_READWRITE).execAndGet("PRAGMA integrity_check").getString() == "ok";
}

// Kills it that often, each at a random instant of the time that a whole run takes, and goes on with what is left; when it comes
// to its end, from an empty cache again.
void kill_at_random(int kills, const char* jobs, const char* workers) {
  const Khost khost;
  const std::vector<std::string> alone{everything(khost), "--out", "alone", "--jobs", jobs};
  const auto begun = std::chrono::steady_clock::now();
  const Finished whole = khost(alone);
  REQUIRE_MESSAGE(whole.code == 0, whole.err);
  const auto takes = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  const std::string expected = records(khost, "alone");
  const auto files = artifact_files(khost, "alone");
  fs::remove_all(khost.scratch / "cache");

  std::mt19937 random(12);
  const std::vector<std::string> words{alone[0], "--out", "run", "--jobs", jobs, "--workers", workers, "--checkpoint", "0"};
  const auto check_whole = [&] {
    CHECK(records(khost, "run") == expected);
    CHECK(artifact_files(khost, "run") == files);
    CHECK(checkpoints(khost) == 0);
    CHECK(is_whole(khost, "run"));
    fs::remove_all(khost.scratch / "cache");
    fs::remove_all(khost.scratch / "run");
  };
  for (int killed = 0; killed < kills;) {
    Started run(khost, words);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % static_cast<unsigned>(takes.count() + 1)));
    run.signal(SIGKILL);
    const int code = run.wait();
    CHECK(is_whole(khost, "run"));
    CHECK_MESSAGE((code == 0 || code == 128 + SIGKILL), run.err());
    if (code == 0)
      check_whole();
    else
      ++killed;
  }
  const Finished last = khost(words);
  CHECK_MESSAGE(last.code == 0, last.err);
  check_whole();
}

}  // namespace

TEST_CASE("a run that is killed goes on from its checkpoints: its records and artifacts are the same to the last bit") {
  kill_at_random(6, "1", "threads");
}

TEST_CASE("a run killed at fifty random instants" * doctest::skip()) {
  kill_at_random(50, "2", "threads");
  kill_at_random(50, "2", "processes");
}

TEST_CASE("Ctrl-C finishes the step in hand and says how to go on; what goes on has lost nothing") {
  const Khost khost;
  REQUIRE(khost({khost.manifest(), "--out", "alone", "--set", "steps=2000"}).code == 0);
  for (const auto& [signal, workers] :
       {std::pair{SIGINT, "threads"}, {SIGTERM, "threads"}, {SIGHUP, "threads"}, {SIGINT, "processes"}}) {
    CAPTURE(signal);
    CAPTURE(workers);
    const std::vector<std::string> words{khost.manifest(), "--out", "run",   "--jobs",    "1",
                                         "--workers",      workers, "--set", "steps=2000"};
    fs::remove_all(khost.scratch / "cache");
    fs::remove_all(khost.scratch / "run");
    const std::string said = break_off(khost, words, signal);
    CHECK_MESSAGE(has(said, "khost: interrupted"), said);
    CHECK_MESSAGE(has(said, "/khost " + words[0] + " --out run --jobs 1 --workers " + workers + " --set steps=2000"), said);
    CHECK(checkpoints(khost) == 1);
    CHECK(has(khost({"show", "run"}).out, "small"));
    const Finished next = khost(words);
    CHECK_MESSAGE(next.code == 0, next.err);
    CHECK(records(khost, "run") == records(khost, "alone"));
    CHECK(checkpoints(khost) == 0);
  }
}

TEST_CASE("a step that is longer than what is dropped may take is waited for, and what was trained is kept before its long end") {
  Khost khost;
  khost.plugin_path = KHOST_BINARY_DIR "/bad_plugins";
  const auto words = [&](const char* at, const char* steps) {
    return std::vector<std::string>{khost.manifest(std::string(R"("probes": [{"plugin": "faulty", "at": ")") + at + "\"}]"),
                                    "--backend",
                                    "openblas",
                                    "--out",
                                    "run",
                                    "--jobs",
                                    "1",
                                    "--seeds",
                                    "1",
                                    "--set",
                                    std::string("steps=") + steps,
                                    "--checkpoint",
                                    "60"};
  };
  const std::map<std::string, std::string> plugins{{"KHOST_PLUGIN_PATH", khost.plugin_path}};
  const auto begun = [&](Started& run) {
    REQUIRE(run.until("at a time"));
    std::error_code none;
    while (!fs::exists(khost.scratch / "cache/trials", none) || fs::is_empty(khost.scratch / "cache/trials", none))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  const std::vector<std::string> slow = words("slow step", "3");
  Started step(khost, slow, {}, plugins);
  begun(step);
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  step.signal(SIGINT);
  CHECK(step.wait() == 5);
  CHECK_MESSAGE(has(step.err(), "finishing first: the step in hand"), step.err());
  CHECK(checkpoints(khost) == 1);
  const Finished next = khost(slow);
  CHECK_MESSAGE(next.code == 0, next.err);
  CHECK(checkpoints(khost) == 0);

  // Its period is a minute: what stands there was kept when the training came to its end.
  Started end(khost, words("slow end", "12000"), {}, plugins);
  begun(end);
  for (int i = 0; i < 20000 && checkpoints(khost) == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(checkpoints(khost) == 1);
  end.signal(SIGINT);
  CHECK(end.wait() == 5);
  CHECK(checkpoints(khost) == 1);
}

TEST_CASE("a checkpoint that is damaged, cut short or another's is none: it is said, and the trial begun anew") {
  const Khost khost;
  const std::vector<std::string> words{khost.manifest(), "--out", "run", "--jobs", "1", "--set", "steps=2000"};
  REQUIRE(khost({words[0], "--out", "alone", "--set", "steps=2000"}).code == 0);
  for (const char* how : {"cut", "changed", "empty"}) {
    CAPTURE(how);
    fs::remove_all(khost.scratch / "cache");
    break_off(khost, words, SIGINT);
    const std::string file = fs::directory_iterator(khost.scratch / "cache/checkpoints")->path();
    std::string content = read(file);
    if (std::string(how) == "cut") content.resize(content.size() - 1);
    if (std::string(how) == "changed") content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 1);
    if (std::string(how) == "empty") content.clear();
    write(file, content);
    const Finished next = khost(words);
    CHECK(next.code == 0);
    CHECK_MESSAGE(has(next.err, "a damaged checkpoint"), next.err);
    CHECK(records(khost, "run") == records(khost, "alone"));
  }
}
