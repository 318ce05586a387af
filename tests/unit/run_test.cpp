// A run without a process: from a manifest to its folder in the library, and the scheduler between an executor and a store that a
// test makes.
#include "run/run.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "run/scheduler.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

namespace fs = std::filesystem;
using namespace khost;

namespace {

struct Heard : RunListener {
  std::vector<std::string> messages;
  int started_count = 0, steps = 0, finished_count = 0;
  bool within = false, ended = false;
  void message(std::string_view text) override { messages.emplace_back(text); }
  void trials_begin(const Plan&, int) override { within = true; }
  void trials_end() override { ended = std::exchange(within, false); }
  void started(int, const TrialKey&, std::int64_t) override { started_count += within; }
  void stepped(int, std::int64_t, double) override { ++steps; }
  void finished(int, const TrialResult&) override { finished_count += within; }
};

const char* const small = R"({
  "khost": 1, "experiment": "small", "seeds": 2, "steps": 3,
  "data": {"plugin": "synthetic", "vocab": 101, "sequence": 7, "batch": 2, "tokens": 5000},
  "model": {"plugin": "gpt", "d_model": 8, "n_layer": 1, "n_head": 2},
  "adapter": {"rank": 3},
  "bases": {"plain": {"steps": 0}},
  "arms": {"A": {}, "twin": {}, "B": {"adapter": {"rank": 2}}},
})";

// Where one experiment is run again and again.
struct Laboratory {
  Scratch scratch;
  Heard heard;
  std::set<std::string> computed;

  FinishedRun run(const std::string& out, bool fresh = false) {
    write_text(scratch / "small.manifest", small);
    SessionOptions options;
    options.manifest = scratch / "small.manifest";
    options.cache = scratch / "cache";
    options.fresh = fresh;
    options.jobs = 2;
    heard = {};
    Session session(options, heard);
    return run_experiment(session, scratch / out, computed);
  }
};

std::vector<double> values(const Run& run) {
  std::vector<double> out;
  for (const TrialResult& t : run.trials)
    for (const RecordSeries& s : t.series)
      for (const Point& p : s.points) out.push_back(p.value);
  return out;
}

}  // namespace

TEST_CASE("an experiment runs in this process: its folder is written, its listener heard, and the next run computes nothing") {
  Laboratory lab;
  const FinishedRun first = lab.run("first");
  CHECK(first.failed == 0);
  REQUIRE(first.run.trials.size() == 6);
  CHECK(lab.heard.started_count == 4);  // a twin shares its trial
  CHECK(lab.heard.steps == 4 * 3);
  CHECK(lab.heard.finished_count == 6);
  CHECK(lab.heard.ended);
  CHECK(std::ranges::any_of(lab.heard.messages, [](const std::string& m) { return m.starts_with("small: 6 trials"); }));
  for (const char* file : {"resolved.manifest", "summary.json", "records.csv", "report.md", "report.html"})
    CHECK_MESSAGE(fs::is_regular_file(lab.scratch / (std::string("first/") + file)), file);
  CHECK(lab.computed.size() == 4);

  const FinishedRun again = lab.run("again");
  CHECK(lab.heard.started_count == 0);
  CHECK(std::ranges::all_of(again.run.trials, &TrialResult::reused));
  CHECK(values(again.run) == values(first.run));

  // In one series a fresh run takes what that series computed; in another process's, nothing.
  lab.run("series", true);
  CHECK(lab.heard.started_count == 0);
  lab.computed.clear();
  const FinishedRun fresh = lab.run("fresh", true);
  CHECK(lab.heard.started_count == 4);
  CHECK(values(fresh.run) == values(first.run));
}

namespace {

// Trials by name: "b" needs "a"; equal hashes are twins.
struct Plans {
  Plan plan;
  Plans& add(const std::string& arm, const std::string& hash, std::vector<std::size_t> needs = {}) {
    PlannedTrial t;
    t.key = {arm, "plain", 0, 0};
    t.hash = hash;
    t.needs = std::move(needs);
    plan.trials.push_back(t);
    return *this;
  }
};

struct FakeStore : Store {
  std::set<std::string> has;      // hashes of what is found
  std::string fails_at;           // "find", "begin", "keep"
  std::vector<std::string> kept;  // hashes
  int open = 0;                   // folders that were begun, and neither kept nor discarded
  void fail(const char* where) const {
    if (fails_at == where) throw Error(ErrorKind::usage, "the disk is full");
  }
  std::optional<TrialResult> find(const PlannedTrial& t) override {
    fail("find");
    if (!has.contains(t.hash)) return std::nullopt;
    TrialResult r;
    r.hash = t.hash, r.status = "done";
    return r;
  }
  std::string checkpoint(const PlannedTrial&) override { return ""; }
  std::string begin(const PlannedTrial& t) override {
    fail("begin");
    ++open;
    return "folder of " + t.hash;
  }
  void keep(const std::string& folder, const TrialResult& result) override {
    fail("keep");
    CHECK(folder == "folder of " + result.hash);
    --open;
    kept.push_back(result.hash);
  }
  void discard(const std::string&) override { --open; }
};

// Runs what it is given by a function of the test's, on so many threads.
struct FakeExecutor : Executor {
  int workers = 1;
  std::function<TrialResult(const Task&)> work = [](const Task& task) {
    TrialResult r;
    r.key = task.trial->key, r.hash = task.trial->hash, r.status = "done";
    r.add({"loss", "final", -1, 1.5, "nats"});
    return r;
  };
  std::mutex mutex;
  std::vector<std::string> ran;  // arms, in the order they began

  void one(Tasks& tasks, int worker) {
    try {
      while (const auto task = tasks.take(worker)) {
        {
          const std::lock_guard lock(mutex);
          ran.push_back(task->trial->key.arm);
        }
        TrialResult result;
        try {
          result = work(*task);
        } catch (const Error& e) {
          tasks.failed(*task, e);
          continue;
        }
        tasks.done(*task, std::move(result), "");
      }
    } catch (...) {
      tasks.ended(std::current_exception());
    }
  }
  void run(Tasks& tasks) override {
    std::vector<std::thread> threads;
    for (int worker = 1; worker < workers; ++worker) threads.emplace_back([&, worker] { one(tasks, worker); });
    one(tasks, 0);
    for (std::thread& t : threads) t.join();
  }
};

bool never() { return false; }

std::string statuses(const RunTrials& run) {
  std::string out;
  for (const TrialResult& t : run.trials) out += t.key.arm + ":" + t.status + (t.reused ? "(reused) " : " ");
  return out;
}

}  // namespace

TEST_CASE("a trial comes after those it needs, and sees their records; twins are run once") {
  Plans plans;
  plans.add("late", "1", {2}).add("twin", "2").add("early", "3").add("other", "2");
  FakeStore store;
  RunListener listener;
  FakeExecutor executor;
  executor.workers = 3;
  std::atomic<double> seen = 0;
  const auto plain = executor.work;
  executor.work = [&](const Task& task) {
    if (task.trial->key.arm == "late") seen = record_of_needs(task, "early/loss/final");
    return plain(task);
  };
  const RunTrials run = Scheduler(plans.plan, store, listener, never).run(executor);
  CHECK(statuses(run) == "late:done twin:done early:done other:done(reused) ");
  CHECK(seen == 1.5);
  CHECK(executor.ran.size() == 3);
  CHECK(std::ranges::find(executor.ran, "early") < std::ranges::find(executor.ran, "late"));
  CHECK(store.kept.size() == 3);
  CHECK(store.open == 0);
}

TEST_CASE("a record that is needed and not there is the trial's error, with the path") {
  Task task;
  TrialResult need;
  need.key = {"early", "plain", 0, 0};
  need.add({"loss", "train", 3, 1.0, "nats"});  // of a step: none of the trial's
  task.needs = {&need};
  CHECK_THROWS_WITH_AS(record_of_needs(task, "early/loss/train"), doctest::Contains("early/loss/train"), Error);
}

TEST_CASE("what the store has is not run, and what fails costs itself and those that need it") {
  Plans plans;
  plans.add("found", "1").add("bad", "2").add("needs-bad", "3", {1}).add("good", "4");
  FakeStore store;
  store.has = {"1"};
  RunListener listener;
  FakeExecutor executor;
  const auto plain = executor.work;
  executor.work = [&](const Task& task) -> TrialResult {
    if (task.trial->key.arm == "bad") throw Error(ErrorKind::plugin, "it divides by zero");
    return plain(task);
  };
  const RunTrials run = Scheduler(plans.plan, store, listener, never).run(executor);
  CHECK(statuses(run) == "found:done(reused) bad:failed needs-bad:failed good:done ");
  CHECK(run.trials[1].message.find("divides by zero") != std::string::npos);
  CHECK(run.trials[2].message.find("needs arm bad") != std::string::npos);
  CHECK(executor.ran == std::vector<std::string>{"bad", "good"});
  CHECK(store.open == 0);
}

TEST_CASE("a store that fails costs the trial in hand, with what was tried, wherever it fails") {
  for (const char* where : {"find", "begin", "keep"}) {
    CAPTURE(where);
    Plans plans;
    plans.add("A", "1").add("B", "2");
    FakeStore store;
    store.fails_at = where;
    RunListener listener;
    FakeExecutor executor;
    const RunTrials run = Scheduler(plans.plan, store, listener, never).run(executor);
    CHECK(statuses(run) == "A:failed B:failed ");
    CHECK(run.trials[0].message.find("the disk is full") != std::string::npos);
    CHECK(run.trials[0].message.find("tries this trial again") != std::string::npos);
    CHECK(store.open == 0);
  }
}

TEST_CASE("a listener that throws ends its worker; the others go on, and nobody waits for the trial in hand") {
  struct Throws : RunListener {
    std::string arm;
    void finished(int, const TrialResult& result) override {
      if (result.key.arm == arm) throw std::runtime_error("the terminal is gone");
    }
  };
  Plans plans;
  plans.add("A", "1").add("needs-A", "2", {0}).add("B", "3").add("C", "4");
  FakeStore store;
  Throws listener;
  listener.arm = "A";
  FakeExecutor executor;
  executor.workers = 2;
  const RunTrials run = Scheduler(plans.plan, store, listener, never).run(executor);
  CHECK(statuses(run) == "A:failed needs-A:failed B:done C:done ");
  CHECK(run.trials[0].message.find("the terminal is gone") != std::string::npos);
}

TEST_CASE("when no worker can be made the run throws why; when it is interrupted, what is done is given") {
  struct Cannot : Executor {
    void run(Tasks& tasks) override {
      tasks.ended(std::make_exception_ptr(Error(ErrorKind::plugin, "the backend cannot be made")));
    }
  };
  Plans plans;
  plans.add("A", "1").add("B", "2").add("C", "3");
  FakeStore store;
  RunListener listener;
  Cannot cannot;
  CHECK_THROWS_WITH_AS(Scheduler(plans.plan, store, listener, never).run(cannot), doctest::Contains("cannot be made"), Error);

  bool stop = false;
  FakeExecutor executor;
  const auto plain = executor.work;
  executor.work = [&](const Task& task) -> TrialResult {
    if (task.trial->key.arm != "B") return plain(task);
    stop = true;
    throw Error(ErrorKind::interrupted, "interrupted");
  };
  const RunTrials run = Scheduler(plans.plan, store, listener, [&] { return stop; }).run(executor);
  CHECK(run.interrupted);
  CHECK(statuses(run) == "A:done ");
  CHECK(store.open == 0);
}
