// What takes room, and what of it goes: never what a run uses.
#include "run/housekeeping.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "artifact/cache.hpp"
#include "artifact/temporary.hpp"
#include "khost/error.hpp"
#include "store/run_database.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

namespace fs = std::filesystem;
using namespace khost;
using std::chrono::hours;

namespace {

void aged(const std::string& path, hours age) { fs::last_write_time(path, fs::file_time_type::clock::now() - age); }

const KeptEntry* find(const std::vector<KeptEntry>& all, const std::string& path) {
  for (const KeptEntry& k : all)
    if (k.path == path) return &k;
  return nullptr;
}

std::string hash(char c) { return std::string(64, c); }

void small_cache(const Scratch& cache) {
  for (const std::string& folder : std::vector<std::string>{"base", "trials/" + hash('1'), "trials/t2.tmp-0-0", "claims/looks/x",
                                                            "corpora", "owners", "checkpoints", "photos"})
    fs::create_directories(cache / folder);
  write_text(cache / ("base/" + hash('b')), "12345");
  write_text(cache / ("base/" + hash('b') + ".json"), R"({"kind": "base", "khost": "0.1.0"})");
  write_text(cache / ("base/" + hash('c')), "no sidecar: not whole, or not khost's");
  write_text(cache / ("trials/" + hash('1') + "/trial.json"), "{\"khost_trial\":3}");
  write_text(cache / ("trials/" + hash('1') + "/series.bin"), "4567");
  write_text(cache / "claims/c", "1");
  write_text(cache / "corpora/kjv.txt", "1");
  write_text(cache / ("checkpoints/" + hash('a')), "khost checkpoint 2\n");
  // Somebody's own things, in a folder that was named the cache.
  write_text(cache / "photos/1.jpg", "1");
  write_text(cache / ("photos/" + hash('2')), "1");
  write_text(cache / ("checkpoints/" + hash('3')), "1");
  fs::create_directories(cache / ("trials/" + hash('4')));
  aged(cache / ("base/" + hash('b') + ".json"), hours(100));
  aged(cache / ("trials/" + hash('1') + "/trial.json"), hours(10));
  aged(cache / ("checkpoints/" + hash('a')), hours(1));
}

}  // namespace

TEST_CASE(
    "what of a cache may go: all that is computed, whole, with its size and last use; not claims, corpora, what is being made, "
    "others'") {
  const Scratch cache;
  small_cache(cache);
  const std::vector<KeptEntry> all = cache_entries(cache.folder());
  CHECK(all.size() == 3);
  const KeptEntry* base = find(all, cache / ("base/" + hash('b')));
  REQUIRE(base);
  CHECK(base->kind == "base");
  CHECK(base->bytes == 5 + 34);
  const KeptEntry* trial = find(all, cache / ("trials/" + hash('1')));
  REQUIRE(trial);
  CHECK(trial->bytes == 17 + 4);
  REQUIRE(find(all, cache / ("checkpoints/" + hash('a'))));

  const auto now = std::chrono::system_clock::now();
  const auto kinds = [&](const CleanRule& rule) {
    std::vector<std::string> out;
    for (const KeptEntry& k : chosen(all, rule, now)) out.push_back(k.kind);
    return out;
  };
  using Names = std::vector<std::string>;
  CHECK(kinds({}) == Names{"base", "trials", "checkpoints"});  // by last use
  CHECK(kinds({{"trials"}, {}, {}}) == Names{"trials"});
  CHECK(kinds({{}, hours(5), {}}) == Names{"base", "trials"});
  CHECK(kinds({{}, hours(200), {}}).empty());
  CHECK(kinds({{}, {}, 39 + 21 + 19}).empty());
  CHECK(kinds({{}, {}, 40}) == Names{"base"});
  CHECK(kinds({{}, {}, 39}) == Names{"base", "trials"});
  CHECK(kinds({{"base", "checkpoints"}, hours(5), 0}) == Names{"base", "checkpoints"});

  for (const KeptEntry& k : all) CHECK(remove(k));
  CHECK(cache_entries(cache.folder()).empty());
  for (const std::string& stays : std::vector<std::string>{"photos/" + hash('2'), "checkpoints/" + hash('3'), "base/" + hash('c'),
                                                           "claims/c", "trials/" + hash('4'), "trials/t2.tmp-0-0"})
    CHECK_MESSAGE(fs::exists(cache / stays), stays);
  CHECK(cache_entries(cache / "none").empty());
}

TEST_CASE("an artifact that is used is marked so, and runs are found where they lie") {
  const Scratch folder;
  Cache cache(folder / "cache");
  const Json recipe = Json::object({{"a", 1}});
  const std::string path = cache.get("thing", recipe, "a thing", [](const std::string& to) { write_text(to, "x"); });
  aged(path + ".json", hours(100));
  Cache(folder / "cache").get("thing", recipe, "a thing", [](const std::string&) { FAIL("it is there"); });
  const auto all = cache_entries(folder / "cache");
  REQUIRE(all.size() == 1);
  CHECK(std::chrono::system_clock::now() - all[0].used < hours(1));

  for (const char* run : {"runs/a/1", "runs/a", "runs/b"}) {
    fs::create_directories(folder / run);
    Run head{"small", "", "abc"};
    RunDatabase(folder / (std::string(run) + "/run.db"), head, Plan()).close();
  }
  write_text(folder / "runs/a/report.md", "56");
  write_text(folder / "runs/a/thesis.tex", "mine");
  write_text(folder / "runs/a/1/summary.json", "{}");
  fs::create_directories(folder / "runs/other");
  write_text(folder / "runs/other/run.db", "somebody else's");
  {
    FileLock held(folder / "runs/b/khost.lock");
    REQUIRE(held.try_take());
    CHECK_FALSE(find(run_entries(folder / "runs"), folder / "runs/b"));
  }
  const auto runs = run_entries(folder / "runs");
  CHECK(runs.size() == 3);
  FileLock begun(folder / "runs/b/khost.lock");  // since they were looked for
  REQUIRE(begun.try_take());
  for (const KeptEntry& run : runs) CHECK(remove(run) == (run.path != folder / "runs/b"));
  CHECK_FALSE(fs::exists(folder / "runs/a/1"));
  CHECK_FALSE(fs::exists(folder / "runs/a/run.db"));
  CHECK_FALSE(fs::exists(folder / "runs/a/report.md"));
  for (const char* stays : {"runs/a/thesis.tex", "runs/b/run.db", "runs/other/run.db"})
    CHECK_MESSAGE(fs::exists(folder / stays), stays);
}

TEST_SUITE_BEGIN("processes");  // it forks

TEST_CASE("a cache is not cleaned while another process uses it, and a run waits for who cleans it") {
  const Scratch cache;
  const std::string root = cache.folder();
  int ready[2], end[2];
  REQUIRE((::pipe(ready) == 0 && ::pipe(end) == 0));
  const pid_t run = ::fork();
  if (run == 0) {
    char c = 'r';
    enter_cache(root, [](std::string_view) {});
    (void)!::write(ready[1], &c, 1);
    (void)!::read(end[0], &c, 1);
    ::_exit(0);
  }
  char c;
  REQUIRE(::read(ready[0], &c, 1) == 1);
  CHECK_THROWS_WITH_AS(CleaningCache{root}, doctest::Contains("nothing of it is removed"), Error);
  ::kill(run, SIGKILL);
  ::waitpid(run, nullptr, 0);
  {
    const CleaningCache alone(root);  // who was killed uses nothing
    const pid_t waits = ::fork();
    if (waits == 0) {
      enter_cache(root, [&](std::string_view) {
        char word = 'w';
        (void)!::write(ready[1], &word, 1);
      });
      ::_exit(7);
    }
    REQUIRE(::read(ready[0], &c, 1) == 1);
    CHECK(c == 'w');
    CHECK(::waitpid(waits, nullptr, WNOHANG) == 0);
    ::kill(waits, SIGKILL);
    ::waitpid(waits, nullptr, 0);
  }
  enter_cache(root, [](std::string_view) { FAIL("nobody cleans it"); });
}

TEST_SUITE_END();
