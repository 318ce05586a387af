// Trials in worker processes: the same to the last bit as in threads, and one that crashes, hangs or eats memory costs itself.
#include <SQLiteCpp/Database.h>
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <random>
#include <sstream>

#include "compute/memory.hpp"
#include "compute/process.hpp"
#include "e2e/everything.hpp"
#include "e2e/khost_program.hpp"
#include "khost/json.hpp"

namespace fs = std::filesystem;
using namespace khost;
using namespace khost::test;

namespace {

// Two arms of two seeds; a probe of A's is at fault.
struct KhostAtFault : Khost {
  KhostAtFault() { plugin_path = KHOST_BINARY_DIR "/bad_plugins"; }
  std::string manifest(const std::string& fault) const {
    const std::string path = scratch / "faulty.manifest";
    write(path, R"({
  "khost": 1, "experiment": "faulty", "seeds": 2, "steps": 6,
  "data": {"plugin": "synthetic", "vocab": 101, "sequence": 7, "batch": 2, "tokens": 5000},
  "model": {"plugin": "gpt", "d_model": 8, "n_layer": 1, "n_head": 2},
  "adapter": {"rank": 3},
  "bases": {"plain": {"steps": 0}},
  "arms": {"A": {"probes": [{"plugin": "faulty", )" +
                    fault + R"(}]}, "B": {}}
})");
    return path;
  }
  std::vector<std::string> words(const std::string& fault, const std::string& out) const {
    return {manifest(fault), "--out", out, "--workers", "processes", "--jobs", "2", "--silence", "3"};
  }
};

std::vector<Json> trials(const Khost& khost, const std::string& out) {
  return parse_json_file(khost.scratch / (out + "/summary.json")).at("trials").as_list();
}

std::string message_of(const Json& trial) {
  const Json* message = trial.find("message");
  return message ? message->as_string() : "";
}

std::vector<pid_t> children(pid_t parent) {
  std::vector<pid_t> all;
  std::error_code gone;
  for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(parent) + "/task", gone)) {
    std::istringstream list(read(thread.path() / "children"));
    for (pid_t child = 0; list >> child;) all.push_back(child);
  }
  return all;
}

// Both, once they have mapped a file of that name.
std::vector<pid_t> workers_of(const Started& run, const std::string& mapped) {
  for (int i = 0; i < 6000; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(10))) {
    const std::vector<pid_t> all = children(run.pid());
    const auto ready = [&](pid_t worker) { return has(read("/proc/" + std::to_string(worker) + "/maps"), mapped); };
    if (all.size() == 2 && std::ranges::all_of(all, ready)) return all;
  }
  FAIL("it has no two workers: " << run.err());
  return {};
}

// What a process has taken of the CPU, in its own and in the kernel's code.
long ticks_of(pid_t process) {
  std::istringstream stat(read("/proc/" + std::to_string(process) + "/stat"));
  std::string word;
  for (int field = 1; field < 14; ++field) stat >> word;
  long user = 0, system = 0;
  stat >> user >> system;
  return user + system;
}

}  // namespace

TEST_CASE("workers: a trial's records and artifacts are the same in a process as in a thread, to the last bit") {
  const Khost khost;
  for (const char* workers : {"threads", "processes"}) {
    const Finished o = khost({everything(khost), "--out", workers, "--workers", workers, "--jobs", "2", "--fresh"});
    CHECK_MESSAGE(o.code == 0, o.err);
    CHECK(has(o.err, "processes of their own") == (workers == std::string("processes")));
  }
  CHECK(records(khost, "threads") == records(khost, "processes"));
  CHECK(artifact_files(khost, "threads") == artifact_files(khost, "processes"));
}

TEST_CASE("workers: a trial that ends its process is tried once more and then fails, with how, where and after which step") {
  const KhostAtFault khost;
  struct Case {
    const char *how, *says, *where;
  };
  for (const Case& c :
       {Case{"segfault", "was ended by signal 11 (Segmentation fault)", "probe 'faulty' in observe at step 2"},
        Case{"abort", "was ended by signal 6 (Aborted)", "probe 'faulty' in observe at step 2"},
        Case{"overflow", "was ended by signal 11", "probe 'faulty' in observe at step 2"},
        Case{"exit", "ended with code 3", "probe 'faulty' in observe at step 2"},
        Case{"killed", "was ended by signal 9 (Killed)", ""},
        Case{"loop", "made no step for 3 s", "probe 'faulty' in observe at step 2"}, Case{"stop", "made no step for 3 s", ""}}) {
    CAPTURE(c.how);
    const Finished o =
        khost(khost.words(R"("at": "observe", "after": 2, "seed": 1, "how": ")" + std::string(c.how) + "\"", c.how));
    INFO(o.err);
    CHECK(o.code == 4);
    CHECK(has(o.err, "it is tried once more"));
    int failed = 0;
    for (const Json& trial : trials(khost, c.how)) {
      const std::string message = message_of(trial);
      if (trial.at("status").as_string() == "done") continue;
      ++failed;
      INFO(message);
      CHECK(trial.at("arm").as_string() == "A");
      CHECK(trial.at("seed").as_integer() == 1);
      CHECK(has(message, c.says));
      CHECK(has(message, c.where));
      CHECK(has(message, "after step 1"));
      CHECK(has(message, "it was tried twice"));
    }
    CHECK(failed == 1);
    CHECK(fs::is_empty(khost.scratch / "cache/owners"));
    // The same command has the finished ones, and tries that one again.
    CHECK(khost(khost.words(R"("at": "observe", "after": 99, "seed": 1, "how": "segfault")", c.how)).code == 0);
  }
}

TEST_CASE("workers: a trial that crashes once is done at its second attempt, and that stands with it") {
  const KhostAtFault khost;
  const Finished o = khost(khost.words(R"("at": "observe", "after": 2, "how": "segfault", "once": true)", "run"));
  CHECK_MESSAGE(o.code == 0, o.err);
  CHECK(has(o.err, "it is tried once more, from its checkpoint where there is one"));
  SQLite::Database run(khost.scratch / "run/run.db");
  CHECK(run.execAndGet("SELECT count(*) FROM trial WHERE status = 'done'").getInt() == 4);
  CHECK(run.execAndGet("SELECT count(*) FROM trial WHERE status = 'done' AND message LIKE '%signal 11%'").getInt() == 1);
  CHECK(khost({khost.manifest(R"("at": "", "how": "error")"), "--out", "plain"}).code == 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("workers: a trial that eats memory is refused more than its share, and fails alone") {
  const KhostAtFault khost;
  // What the process that is tried may have, and no more: else the machine is what is tried.
  const std::vector<std::string> words = khost.words(R"("at": "observe", "how": "eats", "seed": 0)", "run");
  Started run(khost, words, {"prlimit", "--data=" + std::to_string(std::size_t{3} << 29)},
              {{"KHOST_PLUGIN_PATH", khost.plugin_path}});
  CHECK(run.wait() == 4);
  int failed = 0;
  for (const Json& trial : trials(khost, "run"))
    if (trial.at("status").as_string() != "done") {
      ++failed;
      CHECK_MESSAGE(has(message_of(trial), "probe 'faulty' in observe at step 0"), message_of(trial));
    }
  CHECK_MESSAGE(failed == 1, run.err());
}

TEST_CASE("workers: each may have its share of the memory, and what a user allows") {
  const Khost khost;
  Started run(khost, {everything(khost), "--out", "run", "--workers", "processes", "--jobs", "2", "--set", "steps=100000"});
  const std::vector<pid_t> workers = workers_of(run, "cache/base/");
  std::istringstream limits(read("/proc/" + std::to_string(workers[0]) + "/limits"));
  std::string line;
  while (std::getline(limits, line) && !line.starts_with("Max data size")) {
  }
  std::istringstream words(line.substr(std::string("Max data size").size()));
  std::string soft;
  words >> soft;
  const MemoryLimit limit = memory_limit();
  REQUIRE(std::isfinite(limit.bytes));
  CHECK_MESSAGE(std::stod(soft) == doctest::Approx(limit.bytes / 2 + reserved_by_libraries()).epsilon(1e-6), line);
}
#endif

TEST_CASE("workers: whose process cannot plan the same run has its trials run in khost itself, and that is said") {
  const KhostAtFault khost;
  khost.manifest(R"("at": "", "how": "error")");
  const Finished o = khost({"faulty.manifest", "--out", "run", "--workers", "processes", "--set",
                            R"(data={"plugin":"faulty","at":"identity","sequence":7,"batch":2})"});
  CHECK_MESSAGE(o.code == 0, o.err);
  CHECK(has(o.err, "could not be made ready: it plans the run"));
  CHECK(trials(khost, "run").size() == 4);
}

TEST_CASE("workers: one that is killed or stopped costs a second attempt from its checkpoint, and no bit") {
  const Khost khost;
  const auto words = [&](const char* out) {
    return std::vector<std::string>{everything(khost), "--out",        out, "--workers", "processes", "--jobs", "2", "--set",
                                    "steps=400",       "--checkpoint", "0", "--silence", "8"};
  };
  REQUIRE(khost(words("alone")).code == 0);
  std::mt19937 random(5);
  for (const int signal : {SIGKILL, SIGSTOP, SIGKILL}) {
    CAPTURE(signal);
    fs::remove_all(khost.scratch / "cache");
    Started run(khost, words("run"));
    const std::vector<pid_t> workers = workers_of(run, "cache/base/");  // their base is mapped, and so shared
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 500));
    ::kill(workers[random() % 2], signal);
    CHECK_MESSAGE(run.wait() == 0, run.err());
    CHECK(records(khost, "run") == records(khost, "alone"));
    CHECK(artifact_files(khost, "run") == artifact_files(khost, "alone"));
  }
}

TEST_CASE("workers: one that ends while it has nothing to do is replaced, and no trial hears of it") {
  // B needs A, so that one of two workers waits; the long one lets it.
  KhostAtFault khost;
  const std::string path = khost.manifest(R"("at": "", "how": "error")");
  std::string text = read(path);
  text.replace(text.find(R"("B": {})"), 7, R"("B": {"needs": "A"}, "C": {"steps": 4})");
  text.replace(text.find("\"seeds\": 2"), 10, "\"seeds\": 1");
  write(path, text);
  Started run(khost, {path, "--out", "run", "--workers", "processes", "--jobs", "2", "--set", "arms.A.steps=30000"}, {},
              {{"KHOST_PLUGIN_PATH", khost.plugin_path}});
  REQUIRE(run.until("C seed 0: loss"));
  // The other one trains; it sleeps at moments too, and what it takes of the CPU tells them apart.
  const std::vector<pid_t> workers = children(run.pid());
  std::map<pid_t, long> before;
  for (const pid_t worker : workers) before[worker] = ticks_of(worker);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  std::vector<pid_t> idle;
  for (const pid_t worker : workers)
    if (ticks_of(worker) == before[worker]) idle.push_back(worker);
  REQUIRE(idle.size() == 1);
  ::kill(idle[0], SIGKILL);
  CHECK_MESSAGE(run.wait() == 0, run.err());
  CHECK_MESSAGE(!has(run.err(), "in threads of this process"), run.err());
}

TEST_CASE("workers: a base from the user's file is shared by way of the cache, and its trials are the same") {
  const Khost khost;
  const std::string own =
      R"("bases": {"own": {"file": "own.safetensors"}}, "arms": {"A": {}, "B": {"adapter": {"plugin": "lora", "rank": 3, "alpha": 6}}})";
  REQUIRE(khost({khost.manifest(), "--out", "first", "--set", R"(bases.plain={"train": ["*"], "steps": 2})"}).code == 0);
  for (const auto& entry : fs::directory_iterator(khost.scratch / "cache/base"))
    if (!entry.path().has_extension()) fs::copy_file(entry.path(), khost.scratch / "own.safetensors");
  std::string text = read(khost.scratch / "small.manifest");
  text.resize(text.find("\"bases\""));
  write(khost.scratch / "own.manifest", text + own + "}");
  for (const char* workers : {"threads", "processes"}) {
    const Finished o = khost({"own.manifest", "--out", workers, "--workers", workers, "--fresh"});
    CHECK_MESSAGE(o.code == 0, o.err);
  }
  CHECK(records(khost, "threads") == records(khost, "processes"));
  CHECK(fs::exists(khost.scratch / "cache/weights"));
}

TEST_CASE("workers: none outlives the run, whatever ends it") {
  const Khost khost;
  const std::vector<std::string> words{everything(khost), "--out", "run", "--workers", "processes", "--set", "steps=100000"};
  const auto lives = [](pid_t pid) {
    std::istringstream stat(read("/proc/" + std::to_string(pid) + "/stat"));
    std::string word, state;
    stat >> word >> word >> state;
    return !state.empty() && state != "Z";
  };
  for (const int signal : {SIGKILL, SIGINT}) {
    CAPTURE(signal);
    Started run(khost, words);
    const std::vector<pid_t> workers = workers_of(run, "");
    run.signal(signal);
    CHECK(run.wait() == (signal == SIGINT ? 5 : 128 + SIGKILL));
    for (int i = 0; i < 500 && lives(workers[0]); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK_FALSE(lives(workers[0]));
  }
}
