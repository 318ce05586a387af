// A series: a manifest that lists others.
#include "manifest/series.hpp"
#include "unit/manifest_fixture.hpp"

using namespace khost;
using khost::test::Folder;
using khost::test::good;
using khost::test::replaced;

namespace {

struct SeriesFolder : Folder {
  SeriesFolder() {
    write("a.manifest", good);
    write("sub/b.manifest", good);
    write("inner", R"({"khost": 1, "experiment": "inner", "series": ["a.manifest"]})");
    write("broken", "{");
  }
  std::string complaint(const std::string& text) const {
    const std::string file = write("s", text);
    try {
      read_series(file);
      return "read";
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      return replaced(e.what(), path.string() + "/", "");
    }
  }
};

}  // namespace

TEST_CASE("series: read") {
  const SeriesFolder folder;
  const std::string file = folder.write("s", R"({
    // the K series
    "khost": 1, "experiment": "kseries", "title": "The K series", "note": "all of it",
    "series": ["sub/b.manifest", "./a.manifest"],
  })");
  const auto series = read_series(file);
  REQUIRE(series);
  CHECK(series->name == "kseries");
  CHECK(series->title == "The K series");
  CHECK(series->note == "all of it");
  CHECK(series->manifest_path == file);
  CHECK(series->manifests ==
        std::vector<std::string>{(folder.path / "sub/b.manifest").string(), (folder.path / "a.manifest").string()});
  REQUIRE(series->places.size() == 2);
  CHECK(series->places[1].line == 4);
  CHECK_FALSE(read_series((folder.path / "a.manifest").string()));
  CHECK_FALSE(read_series(folder.write("list", "[1]")));
}

TEST_CASE("series: what is wrong") {
  const SeriesFolder folder;
  const auto with = [&](const std::string& files, const std::string& more = "") {
    return folder.complaint(R"({"khost": 1, "experiment": "k", "series": )" + files + more + "}");
  };
  CHECK(with(R"(["a.manifest"])") == "read");
  CHECK(with("[]") == "s:1:43: the series is empty\n  \"series\": [\"paper81.manifest\"]");
  CHECK(with(R"("a.manifest")") == "s:1:43: 'series' of the series takes a list, found the string \"a.manifest\"");
  CHECK(with("[3]") == "s:1:44: 'series[0]' of the series takes a string, found the integer 3");
  CHECK(with(R"(["a.manifest", "gone"])") ==
        "s:1:58: there is no file 'gone' for the series\n"
        "  paths in a manifest start at the folder of the file they are written in");
  CHECK(with(R"(["sub"])").find("there is no file 'sub'") != std::string::npos);
  CHECK(with(R"(["a.manifest", "sub/../a.manifest"])") ==
        "s:1:58: the series has 'sub/../a.manifest' twice, the other at s:1:44");
  CHECK(with(R"(["inner"])") ==
        "s:1:44: 'inner' is a series itself; a series holds experiments only\n  write its manifests into this one");
  CHECK(with(R"(["s"])").find("is a series itself") != std::string::npos);
  CHECK(with(R"(["broken"])") == "broken:1:1: this '{' is never closed; '}' is missing");
  CHECK(with(R"(["a.manifest"])", R"(, "arms": {})") ==
        "s:1:59: the series has no key 'arms'\n  its keys: khost, experiment, title, note, series");
  CHECK(folder.complaint(R"({"khost": 2, "experiment": "k", "series": ["a.manifest"]})") ==
        "s:1:11: this manifest is of format 2; this khost reads format 1");
  CHECK(folder.complaint(R"({"khost": 1, "experiment": "K", "series": ["a.manifest"]})").find("cannot be an experiment's name") !=
        std::string::npos);
  CHECK(folder.complaint(R"({"khost": 1, "series": ["a.manifest"]})").find("needs 'experiment'") != std::string::npos);
}

TEST_CASE("series: where an experiment is expected") {
  const SeriesFolder folder;
  const auto said = [&](const std::string& text) -> std::string {
    try {
      read_experiment(folder.write("m", text), {});
      return "read";
    } catch (const Error& e) {
      return replaced(e.what(), folder.path.string() + "/", "");
    }
  };
  CHECK(said(R"({"khost": 1, "experiment": "k", "series": ["a.manifest"]})") ==
        "m:1:43: this file is a series of manifests, not an experiment of its own\n  its manifests: [\"a.manifest\"]");
  CHECK(said(R"({"include": "inner"})") ==
        "inner:1:47: this file is a series of manifests, not an experiment of its own\n  its manifests: [\"a.manifest\"]");
}
