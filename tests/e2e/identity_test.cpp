// What the cache may answer, as a user meets it: never with another's figures, and always with one's own.
#include <doctest/doctest.h>
#include <sched.h>

#include <cstdint>
#include <filesystem>
#include <map>

#include "e2e/khost_program.hpp"
#include "khost/hash.hpp"
#include "khost/json.hpp"
#include "unit/environment_variable.hpp"

using namespace khost;
using namespace khost::test;
namespace fs = std::filesystem;

namespace {

double answer(const Khost& khost, const std::string& folder, const std::string& probe = "rebuilt") {
  return parse_json_file(khost.scratch / (folder + "/summary.json"))
      .at("records")
      .at("plain/A/" + probe + "/answer")
      .at("mean")
      .as_number();
}

// Every file below a folder of the cache whose name has no '.', with its content.
std::map<std::string, std::string> artifacts(const Khost& khost, const std::string& kind) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::directory_iterator(khost.scratch / ("cache/" + kind)))
    if (!has(entry.path().filename().string(), ".")) found[entry.path().filename()] = read(entry.path());
  return found;
}

}  // namespace

TEST_CASE("a plugin that is built again is another: none of its old records is served, and going back finds them") {
  const Khost khost;
  fs::create_directory(khost.scratch / "own");
  const auto build = [&](const char* which) {  // as a linker does it: a new file under the old name
    fs::remove(khost.scratch / "own/rebuilt.so");
    fs::copy_file(KHOST_BINARY_DIR "/rebuilt/" + std::string(which) + "/rebuilt.so", khost.scratch / "own/rebuilt.so");
  };
  const std::string manifest = khost.manifest(R"("plugin_path": ["own"], "probes": [{"plugin": "rebuilt"}])");
  const auto run = [&](const std::string& out, const char* expected) {
    const Finished o = khost({manifest, "--out", out});
    INFO(o.err);
    REQUIRE(o.code == 0);
    CHECK_MESSAGE(has(o.out, expected), o.out);
  };
  build("one");
  run("one", "4 trials: 4 run");
  CHECK(answer(khost, "one") == 42);
  build("other");
  run("other", "4 trials: 4 run");
  CHECK(answer(khost, "other") == 43);
  build("debug");  // with symbols for a debugger: what runs is the first
  run("back", "0 run, 4 from the cache");
  CHECK(answer(khost, "back") == 42);
}

TEST_CASE("a library that is built again makes another plugin: one of a plugin's library, and one that is linked by path") {
  const Khost khost;
  const fs::path built = KHOST_BINARY_DIR "/rebuilt/helped", own = khost.scratch / "own";
  fs::create_directory(own);
  for (const char* file : {"helped.so", "libhelper.so"}) fs::copy_file(built / file, own / file);
  const auto build = [&](const char* inner, const char* pathed) {
    fs::remove(own / "libinner.so");
    fs::remove(khost.scratch / "libpathed.so");
    fs::copy_file(built / inner / "libinner.so", own / "libinner.so");
    fs::copy_file(built / pathed / "libpathed.so", khost.scratch / "libpathed.so");  // khost runs in that folder
  };
  const std::string manifest = khost.manifest(R"("plugin_path": ["own"], "probes": [{"plugin": "helped"}])");
  const auto run = [&](const std::string& out, const char* expected, double value) {
    CAPTURE(out);
    const Finished o = khost({manifest, "--out", out});
    INFO(o.err);
    REQUIRE(o.code == 0);
    CHECK_MESSAGE(has(o.out, expected), o.out);
    CHECK(answer(khost, out, "helped") == value);
  };
  build("one", "one");
  run("first", "4 trials: 4 run", 42);
  build("other", "one");
  run("inner", "4 trials: 4 run", 43);
  build("one", "other");
  run("pathed", "4 trials: 4 run", 52);
  build("one", "one");
  run("back", "0 run, 4 from the cache", 42);
}

TEST_CASE("more seeds add trials to those that are there, whatever the number of processors") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  REQUIRE(khost({manifest, "--seeds", "1", "--out", "one"}).code == 0);
  const Finished more = khost({manifest, "--seeds", "3", "--out", "three"});
  REQUIRE(more.code == 0);
  CHECK_MESSAGE(has(more.out, "4 run, 2 from the cache"), more.out);
  const Json environment = parse_json_file(khost.scratch / "three/summary.json").at("environment");
  CHECK(environment.at("threads").as_integer() == 1);
  const Finished threads = khost({manifest, "--seeds", "1", "--threads", "2"});
  CHECK(!has(threads.out, "from the cache"));  // last bits depend on it
}

TEST_CASE("--fresh computes anew what the cache has, and replaces it") {
  const Khost khost;
  const std::string manifest = khost.manifest();
  REQUIRE(khost({manifest, "--out", "first"}).code == 0);
  const auto written = [&] {
    std::map<std::string, fs::file_time_type> times;
    for (const auto& entry : fs::directory_iterator(khost.scratch / "cache/trials"))
      times[entry.path()] = fs::last_write_time(entry.path() / "trial.json");
    return times;
  };
  const auto before = written();
  const Finished fresh = khost({manifest, "--fresh", "--out", "second"});
  INFO(fresh.err);
  REQUIRE(fresh.code == 0);
  CHECK(!has(fresh.out, "from the cache"));
  CHECK(records(khost, "first") == records(khost, "second"));
  const auto after = written();
  REQUIRE(after.size() == before.size());
  for (const auto& [path, time] : before) CHECK(after.at(path) != time);
  CHECK(has(khost({manifest}).out, "0 run, 4 from the cache"));
}

TEST_CASE("a run's artifact is its own: what is done to it reaches neither the cache nor a later run") {
  const Khost khost;
  const std::string manifest = khost.manifest(R"("probes": [{"plugin": "trace"}])");
  REQUIRE(khost({manifest, "--out", "first"}).code == 0);
  const auto traces = [&](const std::string& folder) {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::directory_iterator(khost.scratch / (folder + "/artifacts")))
      found[entry.path().filename()] = read(entry.path());
    return found;
  };
  const auto first = traces("first");
  REQUIRE(first.size() == 4);
  for (const auto& [name, content] : first) write(khost.scratch / ("first/artifacts/" + name), "mine");
  const Finished second = khost({manifest, "--out", "second"});
  CHECK(has(second.out, "0 run, 4 from the cache"));
  CHECK(traces("second") == first);

  // One byte of the cache's own, of the same size: said, computed again, and handed out right.
  for (const auto& entry : fs::recursive_directory_iterator(khost.scratch / "cache/trials"))
    if (entry.path().extension() == ".safetensors") {
      std::string content = read(entry.path());
      content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 1);
      write(entry.path(), content);
      break;
    }
  const Finished third = khost({manifest, "--out", "third"});
  INFO(third.err);
  CHECK(third.code == 0);
  CHECK(has(third.err, "does not have the checksum that it was written with"));
  CHECK(has(third.out, "1 run, 3 from the cache"));
  CHECK(traces("third") == first);
}

TEST_CASE("one processor and several make the same base and the same singular vectors, to the last bit") {
  const std::string large = R"("bases": {"made": {"train": ["*"], "steps": 3, "batch": 16}})";
  const auto make = [&](const Khost& khost) {
    const std::string path = khost.manifest(large);
    std::string text = read(path);
    text.replace(text.find("\"d_model\": 24"), 13, "\"d_model\": 192");
    text.replace(text.find("\"sequence\": 15"), 14, "\"sequence\": 31");
    text.replace(text.find("\"vocab\": 101"), 12, "\"vocab\": 1003");
    text.erase(text.find("\"bases\": {\"plain\""),
               text.find('\n', text.find("\"bases\": {\"plain\"")) - text.find("\"bases\": {\"plain\""));
    write(path, text);
    const Finished o = khost({path, "--seeds", "1", "--set", "steps=1", "--out", "run"});
    INFO(o.err);
    REQUIRE(o.code == 0);
  };
  cpu_set_t all;
  REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
  const Khost several, one, limited, asked;
  make(several);
  {
    cpu_set_t first;
    CPU_ZERO(&first);
    for (int core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &all)) {
        CPU_SET(core, &first);
        break;
      }
    REQUIRE(sched_setaffinity(0, sizeof first, &first) == 0);
    make(one);
    REQUIRE(sched_setaffinity(0, sizeof all, &all) == 0);
  }
  {
    const EnvironmentVariable limit("OMP_THREAD_LIMIT", "1");
    make(limited);
  }
  {
    const EnvironmentVariable number("OMP_NUM_THREADS", "3");
    make(asked);
  }
  for (const char* kind : {"base", "basis"}) {
    CAPTURE(kind);
    const auto expected = artifacts(several, kind);
    REQUIRE(expected.size() == 1);
    CHECK(artifacts(one, kind) == expected);
    CHECK(artifacts(limited, kind) == expected);
    CHECK(artifacts(asked, kind) == expected);
  }
  CHECK(records(several, "run") == records(one, "run"));
}

TEST_CASE("a run's folder names what made its bases") {
  const Khost khost;
  REQUIRE(khost({khost.manifest(), "--out", "made"}).code == 0);
  const Json summary = parse_json_file(khost.scratch / "made/summary.json");
  const Json& artifacts_of = summary.at("artifacts");
  CHECK(artifacts_of.at("backend").as_string() == "onednn");
  CHECK(!artifacts_of.at("kernel").as_string().empty());
  CHECK(artifacts_of.at("parts").as_integer() == 8);
  REQUIRE(summary.at("bases").as_list().size() == 1);
  const std::string hash = summary.at("bases").as_list()[0].at("hash").as_string();
  CHECK(fs::exists(khost.scratch / ("cache/base/" + hash)));
  CHECK(has(read(khost.scratch / "made/report.md"), "base plain | " + hash.substr(0, 16)));

  fs::copy_file(khost.scratch / ("cache/base/" + hash), khost.scratch / "own.safetensors");
  REQUIRE(khost({khost.manifest(), "--set", R"(bases.plain={"file": "own.safetensors"})", "--out", "own"}).code == 0);
  const Json own = parse_json_file(khost.scratch / "own/summary.json").at("bases").as_list()[0];
  CHECK(own.at("file_sha256").as_string() == sha256_file(khost.scratch / "own.safetensors"));
  CHECK(has(own.at("how").as_string(), "own.safetensors"));
}
