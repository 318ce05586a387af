#include "artifact/cache.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "core/interrupt.hpp"
#include "environment_variable.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "scratch.hpp"

using namespace khost;
namespace fs = std::filesystem;

namespace {

std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const std::string& path, const std::string& text, std::ios::openmode mode = {}) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary | std::ios::out | mode) << text;
}

Json recipe(int version) {
  Json json{Json::Object{}};
  json.set("z", "last");
  json.set("version", version);
  return json;
}

struct Builder {
  std::atomic<int> built = 0;
  std::function<void(const std::string&)> writing(const std::string& text) {
    return [this, text](const std::string& temporary) {
      ++built;
      write_text(temporary, text);
    };
  }
};

std::function<void(const std::string&)> never() {
  return [](const std::string&) { FAIL("built again"); };
}

}  // namespace

TEST_CASE("sha256 of the standard's examples") {
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(short_hash("abc") == "ba7816bf8f01cfea");
  const Scratch scratch;
  write_text(scratch / "million", std::string(1'000'000, 'a'));
  CHECK(sha256_file(scratch / "million") == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK_THROWS_WITH_AS(sha256_file(scratch / "none"), doctest::Contains("/none': No such file or directory"), Error);
  CHECK_THROWS_WITH_AS(sha256_file(scratch.folder()), doctest::Contains("Is a directory"), Error);
}

TEST_CASE("cache: an artifact is built once, by its recipe") {
  const Scratch scratch;
  std::vector<std::string> said;
  Cache cache(scratch / "cache", [&](std::string_view what) { said.emplace_back(what); });
  Builder builder;
  CHECK_FALSE(cache.has("kind", recipe(1)));
  const std::string path = cache.get("kind", recipe(1), "a thing", builder.writing("content"));
  CHECK(text_of_file(path) == "content");
  CHECK(path == cache.path("kind", recipe(1)));
  CHECK(cache.has("kind", recipe(1)));
  CHECK(said == std::vector<std::string>{"building a thing"});

  Json reordered{Json::Object{}};
  reordered.set("version", 1);
  reordered.set("z", "last");
  CHECK(cache.get("kind", reordered, "a thing", never()) == path);
  CHECK(Cache(scratch / "cache").get("kind", recipe(1), "a thing", never()) == path);
  CHECK(cache.get("kind", recipe(2), "a thing", builder.writing("other")) != path);
  CHECK(cache.get("other", recipe(1), "a thing", builder.writing("other")) != path);
  CHECK(builder.built == 3);

  const Json sidecar = parse_json_file(path + ".json");
  CHECK(sidecar.at("sha256").as_string() == sha256("content"));
  CHECK(sidecar.at("bytes").as_integer() == 7);
  CHECK(sidecar.at("recipe") == recipe(1));
}

TEST_CASE("cache: damaged artifacts are said, removed and built again") {
  const Scratch scratch;
  Builder builder;
  const std::string path = Cache(scratch.folder()).get("kind", recipe(1), "a thing", builder.writing("content"));
  std::vector<std::string> said;
  const auto open_again = [&] {
    said.clear();
    Cache cache(scratch.folder(), [&](std::string_view what) { said.emplace_back(what); });
    CHECK(text_of_file(cache.get("kind", recipe(1), "a thing", builder.writing("content"))) == "content");
  };
  open_again();
  CHECK(said.empty());

  write_text(path, "cOntent");
  open_again();
  CHECK(said == std::vector<std::string>{
                    "the cached a thing is damaged (its checksum differs from the one it was built with): building it again",
                    "building a thing"});
  write_text(path, "conten");
  open_again();
  CHECK(said.at(0) == "the cached a thing is damaged (it has 6 bytes, but was built with 7): building it again");
  write_text(path + ".json", "{\"bytes\": 7,");
  open_again();
  CHECK(said.at(0).starts_with("the cached a thing is damaged ("));
  fs::remove(path + ".json");  // killed between the two renames
  open_again();
  CHECK(said == std::vector<std::string>{"building a thing"});
  fs::remove(path);
  open_again();
  CHECK(builder.built == 6);
}

TEST_CASE("cache: what an interrupt leaves unverified is not damaged, and stays") {
  const Scratch scratch;
  Builder builder;
  const std::string path = Cache(scratch.folder()).get("kind", recipe(1), "a thing", builder.writing("content"));
  std::vector<std::string> said;
  Cache cache(scratch.folder(), [&](std::string_view what) { said.emplace_back(what); });
  request_interrupt();
  ErrorKind kind = ErrorKind::usage;
  try {
    cache.get("kind", recipe(1), "a thing", builder.writing("content"));
  } catch (const Error& e) {
    kind = e.kind();
  }
  clear_interrupt();
  CHECK(kind == ErrorKind::interrupted);
  CHECK(said.empty());
  CHECK(text_of_file(path) == "content");
  CHECK(cache.get("kind", recipe(1), "a thing", never()) == path);
}

TEST_CASE("cache: a failed builder leaves nothing behind") {
  const Scratch scratch;
  Cache cache(scratch.folder());
  CHECK_THROWS_WITH_AS(cache.get("kind", recipe(1), "a thing",
                                 [](const std::string& temporary) {
                                   write_text(temporary, "half");
                                   throw Error(ErrorKind::usage, "no vocabulary");
                                 }),
                       "no vocabulary", Error);
  CHECK_FALSE(cache.has("kind", recipe(1)));
  CHECK(fs::is_empty(scratch / "kind"));
  CHECK_THROWS_WITH_AS(cache.get("kind", recipe(1), "a thing", [](const std::string&) {}), "the builder of a thing made no file",
                       Error);
  Builder builder;
  cache.get("kind", recipe(1), "a thing", builder.writing("content"));
  CHECK(builder.built == 1);
}

TEST_CASE("cache: two threads want one artifact") {
  const Scratch scratch;
  Cache cache(scratch.folder());
  std::atomic<int> built = 0, inside = 0;
  std::atomic<bool> together = false;
  const auto want = [&] {
    const std::string path = cache.get("kind", recipe(1), "a thing", [&](const std::string& temporary) {
      if (++inside > 1) together = true;
      ++built;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      write_text(temporary, "content");
      --inside;
    });
    CHECK(text_of_file(path) == "content");
  };
  std::thread a(want), b(want), c(want);
  a.join();
  b.join();
  c.join();
  CHECK(built == 1);
  CHECK_FALSE(together);
}

TEST_CASE("cache: two processes want one artifact" * doctest::test_suite("processes")) {
  const Scratch scratch;
  const std::string log = scratch / "log";
  pid_t children[2];
  for (pid_t& child : children) {
    child = ::fork();
    if (child != 0) continue;
    // In the child: no doctest, and no return into it.
    int code = 1;
    try {
      Cache cache(scratch / "cache");
      const std::string path = cache.get("kind", recipe(1), "a thing", [&](const std::string& temporary) {
        write_text(log, "built\n", std::ios::app);
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        write_text(temporary, "content");
      });
      code = text_of_file(path) == "content" ? 0 : 2;
    } catch (...) {
    }
    ::_exit(code);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  CHECK(text_of_file(log) == "built\n");
}

TEST_CASE("cache: a folder that cannot be written") {
  const Scratch scratch;
  write_text(scratch / "file", "in the way");
  Cache blocked(scratch / "file");
  Builder builder;
  CHECK_THROWS_WITH_AS(blocked.get("kind", recipe(1), "a thing", builder.writing("x")),
                       doctest::Contains("cannot make the cache folder"), Error);
  CHECK(builder.built == 0);

  const std::string path = Cache(scratch / "cache").get("kind", recipe(1), "a thing", builder.writing("content"));
  if (::geteuid() != 0) fs::permissions(scratch / "cache/kind", fs::perms::owner_read | fs::perms::owner_exec);
  CHECK(Cache(scratch / "cache").get("kind", recipe(1), "a thing", never()) == path);  // needs no lock
  CHECK_FALSE(fs::exists(path + ".lock"));
  fs::permissions(scratch / "cache/kind", fs::perms::owner_all);
}

TEST_CASE("cache: where it is") {
  test::EnvironmentVariable home("HOME", "/home/someone"), xdg("XDG_CACHE_HOME", "/caches"), khost("KHOST_CACHE", "/mine");
  CHECK(Cache::default_root() == "/mine");
  khost.set("");
  CHECK(Cache::default_root() == "/caches/khost");
  xdg.set("relative");
  CHECK(Cache::default_root() == "/home/someone/.cache/khost");
  home.unset();
  CHECK_THROWS_WITH_AS(Cache::default_root(), doctest::Contains("set KHOST_CACHE to a folder"), Error);
}

TEST_CASE("cache: corpora") {
  const Scratch scratch;
  const std::string text = scratch / "corpora/kjv.txt";
  CHECK_THROWS_WITH_AS(Cache(scratch.folder()).corpus_file("kjv"),
                       ("corpus 'kjv' is not in the cache (no file '" + text +
                        "')\n  run ./bootstrap corpora, which makes it from the Debian package bible-kjv")
                           .c_str(),
                       Error);
  CHECK_THROWS_WITH_AS(Cache(scratch.folder()).corpus_file("wordnet"), doctest::Contains("Debian package wordnet-base"), Error);

  write_text(text, "In the beginning\nThus the heavens\n");
  CHECK_THROWS_WITH_AS(Cache(scratch.folder()).corpus_file("kjv"), doctest::Contains("corpus 'kjv' has no checksum beside it"),
                       Error);
  write_text(text + ".sha256", sha256_file(text) + "  kjv.txt\n");
  Cache cache(scratch.folder());
  CHECK(cache.corpus_file("kjv") == text);
  write_text(text, "In the end\n");
  CHECK(cache.corpus_file("kjv") == text);  // looked at once a run
  CHECK_THROWS_WITH_AS(Cache(scratch.folder()).corpus_file("kjv"), doctest::Contains("corpus 'kjv' is damaged: the checksum of"),
                       Error);
  CHECK_THROWS_WITH_AS(Cache(scratch.folder()).corpus_file("kjv"),
                       doctest::Contains("remove both files and run ./bootstrap corpora"), Error);

  write_text(scratch / "corpora/tales.txt", "Once\n");
  write_text(scratch / "corpora/tales.txt.sha256", sha256("Once\n") + "  tales.txt\n");
  CHECK(Cache(scratch.folder()).corpus_file("tales") == scratch / "corpora/tales.txt");
  CHECK_THROWS_WITH_AS(Cache(scratch.folder()).corpus_file("wordnets"),
                       "there is no corpus 'wordnets'\n  did you mean 'wordnet'?\n"
                       "  corpora: kjv, tales, wordnet; your own text goes under \"files\"",
                       Error);
  CHECK_THROWS_WITH_AS(Cache(scratch.folder()).corpus_file("../kjv"), doctest::Contains("there is no corpus '../kjv'"), Error);
}
