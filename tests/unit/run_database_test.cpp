// run.db: what goes in comes back to the last bit, whatever happens to the process that writes it.
#include "store/run_database.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <limits>

#include "khost/error.hpp"
#include "store/earlier.hpp"
#include "store/run_reader.hpp"
#include "store/run_schema.hpp"
#include "unit/planned.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

namespace fs = std::filesystem;
using namespace khost;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

Plan plan_of(int trials) {
  Plan plan;
  for (int i = 0; i < trials; ++i)
    plan.trials.push_back(
        planned({"K" + std::to_string(i % 2), "base", 0, static_cast<std::uint64_t>(i / 2)}, "hash" + std::to_string(i)));
  return plan;
}

Run head() {
  Run run{"small", "A title; DROP TABLE run", "abc"};
  run.environment = {"0.1.0", "openblas", "OpenBLAS", "0.3.21", "SkylakeX", "A CPU", 2, 3, R"({"a":1})", 0, 2, {"one", "two\n2"}};
  run.published = "paper85";
  run.plugins = {{"probe", "snr", "/plugins/snr.so", "123"}};
  run.command = "khost run 'my file.manifest'";
  run.manifest = "{}\n";
  run.started = "2026-11-27 02:40:11 UTC";
  return run;
}

TrialResult result_of(const PlannedTrial& trial, std::vector<Record> records) {
  TrialResult result;
  result.key = trial.key;
  result.hash = trial.hash;
  result.status = "done";
  result.seconds = 0.1;
  result.adapter_parameters = 12;
  result.trainable_parameters = 3;
  for (const Record& r : records) result.add(r);
  result.artifacts = {{"trace.safetensors", "def"}};
  return result;
}

const std::vector<double> awkward = {0.0,       -0.0,     1.0,      0.1, 5e-324, -1.7976931348623157e308, 9007199254740993.0,
                                     nan_value, infinity, -infinity};

std::vector<Record> series() {
  std::vector<Record> records;
  for (std::size_t i = 0; i < awkward.size(); ++i) {
    records.push_back({"loss", "train", static_cast<std::int64_t>(i), awkward[i], "nats"});
    records.push_back({"z_first", "b/0", static_cast<std::int64_t>(i), 2.0 * static_cast<double>(i), "1"});
  }
  records.push_back({"loss", "final", -1, -0.0, "nats"});
  records.push_back({"a_later", "x", -1, nan_value, "1"});
  return records;
}

std::vector<Record> all_records(const RunReader& reader, const TrialKey& key) {
  std::vector<Record> records;
  reader.each_record(key, [&](const Record& r) { records.push_back(r); });
  return records;
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) || (a != a && b != b);
}

std::string integrity(const std::string& path) {
  SQLite::Database db(path, SQLite::OPEN_READONLY);
  return db.execAndGet("PRAGMA integrity_check").getString();
}

}  // namespace

TEST_CASE("run.db gives back what was written, to the last bit") {
  const Scratch folder;
  const Plan plan = plan_of(3);
  const std::string path = folder / "run.db";
  Run run = head();
  {
    RunDatabase database(path, run, plan);
    database.begin(plan.trials[0].key);
    CHECK(RunReader(path).run().trials[0].status == "running");  // while it is written
    database.keep(result_of(plan.trials[0], series()));
    TrialResult failed = result_of(plan.trials[1], {});
    failed.status = "failed", failed.message = "why\nand where";
    database.keep(failed);
    CHECK(RunReader(path).run().finished.empty());
    run.artifacts = run.environment;
    run.artifacts.parts = 4;
    run.bases = {{"z", 0, "h1", "57 steps", ""}, {"a", 1, "h2", "", "sum"}};
    run.definitions = {{"snr", "drift/<group>", "1", "what it is", "noise", "snr"}};
    run.nulls[{"base", "K0"}]["snr/drift/0"] = {1, -0.0, infinity};
    run.claims = parse_json(R"([{"id": "c", "base": "base", "verdict": "confirmed", "estimate": 1.5, "low": null,
                                 "published": {"value": 2}}])",
                            "test");
    run.finished = "2026-11-27 02:41:00 UTC";
    database.finish(run);
    database.close();
  }
  CHECK_FALSE(fs::exists(path + "-wal"));  // one file, to be copied
  CHECK(integrity(path) == "ok");

  const RunReader reader(folder.folder());
  const Run back = reader.run();
  for (const auto member :
       {&Run::experiment, &Run::title, &Run::hash, &Run::published, &Run::command, &Run::manifest, &Run::started, &Run::finished})
    CHECK(back.*member == run.*member);
  CHECK(back.folder == folder.folder());
  CHECK(back.environment.notes == run.environment.notes);
  CHECK(back.environment.options == R"({"a":1})");
  CHECK(back.environment.jobs == 3);
  CHECK(back.artifacts.parts == 4);
  CHECK(back.plugins.at(0).path == "/plugins/snr.so");
  REQUIRE(back.bases.size() == 2);
  CHECK(back.bases[0].name == "z");
  CHECK(back.bases[1].file_hash == "sum");
  CHECK(back.definitions.at(0).null == "noise");
  CHECK(same_bits(back.nulls.at({"base", "K0"}).at("snr/drift/0").low, -0.0));
  CHECK(back.nulls.at({"base", "K0"}).at("snr/drift/0").high == infinity);
  CHECK(back.claims == run.claims);

  REQUIRE(back.trials.size() == 3);
  CHECK(back.trials[0].status == "done");
  CHECK(back.trials[0].seconds == 0.1);
  CHECK(back.trials[0].artifacts == std::vector<Artifact>{{"trace.safetensors", "def"}});
  CHECK(back.trials[1].status == "failed");
  CHECK(back.trials[1].message == "why\nand where");
  CHECK(back.trials[2].status == "waiting");

  // Every record, name by name in the order in which they were made.
  const std::vector<Record> records = all_records(reader, plan.trials[0].key);
  REQUIRE(records.size() == 2 * awkward.size() + 2);
  for (std::size_t i = 0; i < awkward.size(); ++i) {
    CHECK(records[i].name == "train");
    CHECK(records[i].step == static_cast<std::int64_t>(i));
    CHECK_MESSAGE(same_bits(records[i].value, awkward[i]), i);
    CHECK(records[awkward.size() + i].probe == "z_first");
  }
  CHECK(records[records.size() - 2].name == "final");
  CHECK(same_bits(records[records.size() - 2].value, -0.0));
  CHECK(records.back().probe == "a_later");
  CHECK(all_records(reader, plan.trials[1].key).empty());

  // What run() has of it: of the whole trial, and of series what is not finite.
  std::size_t points = 0;
  for (const RecordSeries& each : back.trials[0].series) points += each.points.size();
  CHECK(points == 3 + 2);
  std::int64_t seen = 0;
  reader.each_record(
      plan.trials[0].key, [&](const Record&) { ++seen; }, [](auto&, const auto& name) { return name == "b/0"; });
  CHECK(seen == static_cast<std::int64_t>(awkward.size()));

  SQLite::Database db(path, SQLite::OPEN_READONLY);
  SQLite::Statement claim(db, "SELECT verdict, estimate, low, published FROM claims");
  REQUIRE(claim.executeStep());
  CHECK(claim.getColumn(0).getString() == "confirmed");
  CHECK(claim.getColumn(1).getDouble() == 1.5);
  CHECK(claim.getColumn(2).isNull());
  CHECK(claim.getColumn(3).getInt() == 2);
  CHECK(db.execAndGet("SELECT count(*) FROM records WHERE step IS NULL").getInt() == 2);
}

TEST_CASE("a run.db of version 1 is read as it is, and brought to version 2 when it is written to") {
  const Scratch folder;
  const std::string path = folder / "run.db";
  Plan plan;
  for (const char* base : {"a", "b"}) plan.trials.push_back(planned({"K0", base, 0, 0}, std::string("hash") + base));
  {
    RunDatabase database(path, head(), plan);
    Run run = head();
    for (const char* base : {"a", "b"}) run.nulls[{base, "K0"}]["snr/drift/0"] = {1, 0.5, 1.5};
    database.finish(run);
  }
  {
    SQLite::Database db(path, SQLite::OPEN_READWRITE);
    db.exec(
        "DROP TABLE noise; CREATE TABLE noise(arm TEXT NOT NULL, record TEXT NOT NULL, mean, low, high, "
        "PRIMARY KEY(arm, record)) WITHOUT ROWID; INSERT INTO noise VALUES('K0', 'snr/drift/0', 1, 0.5, 1.5); "
        "PRAGMA user_version = 1");
  }
  const auto check = [&] {
    const Run back = RunReader(path).run();
    REQUIRE(back.nulls.size() == 2);
    for (const char* base : {"a", "b"}) CHECK(back.nulls.at({base, "K0"}).at("snr/drift/0").high == 1.5);
  };
  check();
  SQLite::Database db(path, SQLite::OPEN_READWRITE);
  migrate_run(db);
  CHECK(db.execAndGet("PRAGMA user_version").getInt() == run_schema_version);
  check();
}

TEST_CASE("run.db of the same run keeps its finished trials; another run's goes") {
  const Scratch folder;
  const Plan plan = plan_of(2);
  const std::string path = folder / "run.db";
  const std::vector<Record> first = {{"loss", "final", -1, 1, "nats"}}, second = {{"loss", "final", -1, 2, "nats"}};
  const auto value = [&] { return all_records(RunReader(path), plan.trials[0].key).at(0).value; };
  Run run = head();
  run.finished = "then";
  {
    RunDatabase database(path, run, plan);
    database.keep(result_of(plan.trials[0], first));
    database.begin(plan.trials[1].key);
    database.finish(run);
  }
  {
    RunDatabase database(path, head(), plan);
    CHECK(RunReader(path).run().finished.empty());
    CHECK(RunReader(path).run().trials[0].status == "done");
    CHECK(RunReader(path).run().trials[1].status == "waiting");  // the run that was at it is gone
    TrialResult found = result_of(plan.trials[0], second);       // the same trial by its hash: what stands there is it
    found.reused = true;
    database.keep(found);
    CHECK(value() == 1);
    CHECK(RunReader(path).run().trials[0].reused);
    found.reused = false;  // computed anew
    database.keep(found);
    CHECK(value() == 2);
  }
  Run other = head();
  other.hash = "other";
  RunDatabase database(path, other, plan_of(1));
  CHECK(RunReader(path).run().trials.size() == 1);
  CHECK(RunReader(path).run().trials[0].status == "waiting");
}

TEST_CASE("run.db: a file that is not khost's, a newer khost's or a damaged one is refused as it is") {
  const Scratch folder;
  const std::string path = folder / "run.db";
  const auto refused = [&](const char* what) {
    const std::string before = content_of(path);
    CHECK_THROWS_WITH_AS(RunDatabase(path, head(), plan_of(1)), doctest::Contains(what), Error);
    CHECK_THROWS_WITH_AS(RunReader{path}, doctest::Contains(what), Error);
    CHECK(content_of(path) == before);
  };
  {
    SQLite::Database db(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    db.exec("CREATE TABLE mine(a)");
  }
  refused("a database of another program");
  write_text(path,
             "no database at all, but long enough to be looked at as one ..................................................");
  refused("it is damaged");
  fs::remove(path);
  {
    RunDatabase database(path, head(), plan_of(1));
    database.close();
  }
  {
    SQLite::Database db(path, SQLite::OPEN_READWRITE);
    db.exec("PRAGMA user_version = 1000");
  }
  refused("was written by a newer khost");
  CHECK_THROWS_WITH_AS(RunReader(folder / "none"), doctest::Contains("there is no run in"), Error);
  fs::remove(path);
  write_text(path, "");
  CHECK_THROWS_WITH_AS(RunReader{path}, doctest::Contains("holds no run yet"), Error);
}

TEST_SUITE_BEGIN("processes");  // it forks

TEST_CASE("run.db: a writer killed at any moment leaves whole trials and no damage") {
  const Scratch folder;
  const Plan plan = plan_of(40);
  for (int round = 0; round < 12; ++round) {
    const std::string path = folder / ("run" + std::to_string(round) + ".db");
    { RunDatabase(path, head(), plan).close(); }
    int pipes[2];
    REQUIRE(::pipe(pipes) == 0);
    const pid_t writer = ::fork();
    if (writer == 0) {
      try {
        RunDatabase database(path, head(), plan);
        for (const PlannedTrial& t : plan.trials) {
          std::vector<Record> records;
          for (int i = 0; i < 500; ++i) records.push_back({"p", "n" + std::to_string(i % 5), i / 5, 1.0 * i, "1"});
          database.begin(t.key);
          database.keep(result_of(t, std::move(records)));
          const char kept = 'k';
          if (::write(pipes[1], &kept, 1) != 1) ::_exit(1);
        }
      } catch (...) {
        ::_exit(2);
      }
      ::raise(SIGKILL);
    }
    ::close(pipes[1]);
    int kept = 0;
    for (char c; kept < round * 3 && ::read(pipes[0], &c, 1) == 1;) ++kept;
    ::usleep(static_cast<useconds_t>(round) * 137);
    ::kill(writer, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(writer, &status, 0) == writer);
    REQUIRE(WIFSIGNALED(status));
    ::close(pipes[0]);

    const RunReader reader(path);
    int done = 0;
    for (const TrialResult& t : reader.run().trials) {
      const std::size_t records = all_records(reader, t.key).size();
      CHECK(records == (t.status == "done" ? 500u : 0u));
      done += t.status == "done";
    }
    CHECK(done >= kept);
    CHECK(integrity(path) == "ok");
  }
}

TEST_SUITE_END();

TEST_CASE("the queries of docs/concepts/run.md give what they say") {
  const Scratch folder;
  Plan plan;
  for (const char* arm : {"K32", "K64"})
    for (std::uint64_t seed = 0; seed < 3; ++seed)
      plan.trials.push_back(planned({arm, "trained", 0, seed}, arm + std::to_string(seed)));
  const std::string path = folder / "run.db";
  {
    RunDatabase database(path, head(), plan);
    for (const PlannedTrial& t : plan.trials) {
      const auto seed = static_cast<double>(t.key.seed);
      TrialResult result = result_of(t, {{"loss", "train", 0, 8 + seed, "nats"},
                                         {"loss", "train", 1, 7 + seed, "nats"},
                                         {"loss", "final", -1, (t.key.arm == "K64" ? 6 : 6.5) + seed, "nats"},
                                         {"snr", "drift/0", -1, 5, "1"}});
      if (t.key.arm == "K64" && t.key.seed == 2) result.status = "failed", result.message = "why";
      database.keep(result);
    }
    Run run = head();
    run.nulls[{"trained", "K32"}]["snr/drift/0"] = {1, 0.5, 1.5};
    run.nulls[{"trained", "K64"}]["snr/drift/0"] = {5, 4, 6};
    run.claims = parse_json(R"([{"id": "c", "base": "trained", "verdict": "confirmed", "estimate": 1.5, "low": 1, "high": 2,
                                 "published": {"value": 2}}])",
                            "test");
    database.finish(run);
  }
  const std::string page = content_of(KHOST_SOURCE_DIR "/docs/concepts/run.md");
  const std::vector<std::string> expected = {
      "trained|K64|2|6.5|0.707106781186548\ntrained|K32|3|7.5|1.0\n",
      "trained|0|6.0|6.5|-0.5\ntrained|1|7.0|7.5|-0.5\n",
      "0|8.5|8.0|9.0\n1|7.5|7.0|8.0\n",
      "trained|K32|snr/drift/0|5.0|0.5|1.5\n",
      "c|trained|2|1.5|1|2|confirmed\n",
      "trained|K64|2|why\n",
  };
  SQLite::Database db(path, SQLite::OPEN_READONLY);
  std::vector<std::string> found;
  for (std::size_t at = page.find("```sql\n"); at != page.npos; at = page.find("```sql\n", at)) {
    at += 7;
    SQLite::Statement query(db, page.substr(at, page.find("```", at) - at));
    std::string& rows = found.emplace_back();
    while (query.executeStep())
      for (int i = 0; i < query.getColumnCount(); ++i)
        rows += query.getColumn(i).getString() + (i + 1 < query.getColumnCount() ? "|" : "\n");
  }
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK_MESSAGE(found[i] == expected[i], found[i]);

  // Each table and each of its columns stands on the page.
  SQLite::Statement columns(db,
                            "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'");
  while (columns.executeStep()) {
    const std::string table = columns.getColumn(0), column = columns.getColumn(1);
    const std::size_t row = page.find("\n| `" + table + "` | ", page.find("## The tables"));
    REQUIRE_MESSAGE(row != page.npos, table);
    const std::string line = page.substr(row + 1, page.find('\n', row + 1) - row);
    CHECK_MESSAGE((line.find(column) != line.npos || column == "position"), (table + "." + column));
  }
}

TEST_CASE("how two identities differ is said by path; hashes are another, components go by their names") {
  const auto diff = [](const char* before, const char* now) {
    return differences(parse_json(before, "a"), parse_json(now, "b"));
  };
  using Texts = std::vector<std::string>;
  CHECK(diff(R"({"a": 1, "b": [1, 2]})", R"({"b": [1, 2], "a": 1})").empty());
  CHECK(diff(R"({"a": {"lr": 0.5}, "gone": 1})", R"({"a": {"lr": 0.25}, "new": true})") ==
        Texts{"a.lr 0.5 -> 0.25", "new null -> true", "gone 1 -> null"});
  CHECK(diff(R"({"probes": [{"plugin": "snr", "content": "0123456789abcdef0"}, 1]})",
             R"({"probes": [{"plugin": "snr", "content": "fedcba98765432100"}, 2]})") ==
        Texts{"probes[snr].content is another", "probes[1] 1 -> 2"});
  CHECK(diff(R"({"a": [1]})", R"({"a": [1, 2]})") == Texts{"a [1] -> [1,2]"});
  CHECK(diff(R"("x")", R"("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy")")[0].size() < 60);
}
