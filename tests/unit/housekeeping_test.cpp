// What takes room, and what of it goes: never what a run uses.
#include "store/housekeeping.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "artifact/cache.hpp"
#include "artifact/temporary.hpp"
#include "khost/error.hpp"
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

void small_cache(const Scratch& cache) {
  for (const char* folder :
       {"base", "trials/t1", "trials/t2.tmp-0-0", "claims", "claims/looks/x", "corpora", "owners", "checkpoints"})
    fs::create_directories(cache / folder);
  write_text(cache / "base/b1", "12345");
  write_text(cache / "base/b1.json", "{}");
  write_text(cache / "base/b2.lock", "");
  write_text(cache / "trials/t1/trial.json", "123");
  write_text(cache / "trials/t1/series.bin", "4567");
  write_text(cache / "claims/c", "1");
  write_text(cache / "corpora/kjv.txt", "1");
  write_text(cache / "checkpoints/c1", "12");
  aged(cache / "base/b1.json", hours(100));
  aged(cache / "trials/t1/trial.json", hours(10));
  aged(cache / "checkpoints/c1", hours(1));
}

}  // namespace

TEST_CASE(
    "what of a cache may go: all that is computed, whole, with its size and last use; not claims, corpora, what is being made") {
  const Scratch cache;
  small_cache(cache);
  const std::vector<KeptEntry> all = cache_entries(cache.folder());
  CHECK(all.size() == 3);
  const KeptEntry* base = find(all, cache / "base/b1");
  REQUIRE(base);
  CHECK(base->kind == "base");
  CHECK(base->bytes == 5 + 2);
  CHECK(base->files == std::vector<std::string>{cache / "base/b1.json"});
  const KeptEntry* trial = find(all, cache / "trials/t1");
  REQUIRE(trial);
  CHECK(trial->bytes == 3 + 4);
  REQUIRE(find(all, cache / "checkpoints/c1"));

  const auto now = std::chrono::system_clock::now();
  const auto paths = [&](const CleanRule& rule) {
    std::vector<std::string> out;
    for (const KeptEntry& k : chosen(all, rule, now)) out.push_back(fs::path(k.path).filename());
    return out;
  };
  using Names = std::vector<std::string>;
  CHECK(paths({}) == Names{"b1", "t1", "c1"});  // by last use
  CHECK(paths({{"trials"}, {}, {}}) == Names{"t1"});
  CHECK(paths({{}, hours(5), {}}) == Names{"b1", "t1"});
  CHECK(paths({{}, hours(200), {}}).empty());
  CHECK(paths({{}, {}, 16}).empty());
  CHECK(paths({{}, {}, 9}) == Names{"b1"});
  CHECK(paths({{}, {}, 8}) == Names{"b1", "t1"});
  CHECK(paths({{"base", "checkpoints"}, hours(5), 0}) == Names{"b1", "c1"});

  CHECK(remove(*base));
  CHECK_FALSE(fs::exists(cache / "base/b1"));
  CHECK_FALSE(fs::exists(cache / "base/b1.json"));
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

  for (const char* run : {"runs/a/1", "runs/a/2", "runs/b"}) {
    fs::create_directories(folder / run);
    write_text(folder / (std::string(run) + "/run.db"), "1234");
  }
  write_text(folder / "runs/a/1/report.md", "56");
  CHECK(run_entries(folder / "runs").size() == 3);
  CHECK(find(run_entries(folder / "runs"), folder / "runs/a/1")->bytes == 6);
  FileLock held(folder / "runs/b/khost.lock");
  REQUIRE(held.try_take());
  CHECK_FALSE(find(run_entries(folder / "runs"), folder / "runs/b"));
}

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
