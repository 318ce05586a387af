#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <set>

#include "khost/openmp.hpp"
#include "khost/parallel.hpp"
#include "khost/random.hpp"
#include "khost/schema.hpp"
#include "khost/tensor.hpp"
#include "message.hpp"

using namespace khost;

namespace {

struct Item {
  int width = 3;
  static void fields(auto& f) { f("width", &Item::width).at_least(1); }
};

struct Config {
  double lr = 5e-3;
  std::string mode = "fast";
  std::vector<int> keep{64, 32};
  std::optional<double> until;
  std::vector<Item> items;
  std::string log = "quiet";
  static void fields(auto& f) {
    f("lr", &Config::lr).range(0, 1).doc("step size");
    f("mode", &Config::mode).choices({"fast", "exact"});
    f("keep", &Config::keep).at_least(1);
    f("until", &Config::until);
    f("items", &Config::items);
    f("log", &Config::log).operational();
  }
};

}  // namespace

TEST_CASE("an error says what, where, in what, and what to do") {
  Error error(ErrorKind::usage, {"a.manifest", 3, 7}, "lr is 2");
  error.within("probe 'snr'").within("arm 'K64'").hint("use less");
  CHECK(std::string(error.what()) == "a.manifest:3:7: lr is 2\n  in probe 'snr', arm 'K64'\n  use less");
  const std::vector<std::string> names{"alpha", "alphas", "beta"};
  CHECK(did_you_mean("alhpa", names) == "did you mean 'alpha', 'alphas'?");
  CHECK(did_you_mean("zebra crossing", names) == "");
}

TEST_CASE("a schema fills defaults in and refuses what does not fit") {
  const Schema schema = schema_of<Config>();
  const Json full = resolve(schema, Json::object({{"lr", 1}, {"items", Json::List{Json::object({})}}}), "optimizer 'x'");
  CHECK(full.text() == R"({"lr":1.0,"mode":"fast","keep":[64,32],"until":null,"items":[{"width":3}],"log":"quiet"})");
  const auto config = read_config<Config>(full);
  CHECK(config.lr == 1.0);
  CHECK(config.keep == std::vector<int>{64, 32});
  CHECK(!config.until);
  CHECK(config.items.at(0).width == 3);
  CHECK(identity_of(schema, full).find("log") == nullptr);

  const auto refusal = [&](Json given) { return message_of([&] { resolve(schema, given, "optimizer 'x'"); }); };
  CHECK(refusal(Json::object({{"rl", 1}})) ==
        "optimizer 'x' has no key 'rl'\n  did you mean 'lr'?\n  its keys: lr, mode, keep, until, items, log");
  CHECK(refusal(Json::object({{"lr", 2}})) == "'lr' of optimizer 'x' is 2, expected a number between 0 and 1");
  CHECK(refusal(Json::object({{"lr", std::nan("")}})).find("expected a number") != std::string::npos);
  CHECK(refusal(Json::object({{"lr", "2"}})) == "'lr' of optimizer 'x' takes a number, found the string \"2\"\n  write 2");
  CHECK(refusal(Json::object({{"mode", "fat"}})) ==
        "'mode' of optimizer 'x' is \"fat\", expected one of: fast, exact\n  did you mean 'fast'?");
  CHECK(refusal(Json::object({{"keep", Json::List{8, 0}}})) == "'keep[1]' of optimizer 'x' is 0, expected a number at least 1");
  CHECK(refusal(Json::object({{"items", Json::List{Json::object({{"wide", 1}})}}})).find("under 'items[0]' has no key 'wide'") !=
        std::string::npos);
}

namespace {

struct Inner {
  int size = 1;
  std::string path = "here";
  static void fields(auto& f) {
    f("size", &Inner::size);
    f("path", &Inner::path).operational();
  }
};

struct Deep {
  Inner one;
  std::vector<Inner> many;
  std::optional<Inner> maybe;
  std::vector<std::vector<Inner>> rows;
  static void fields(auto& f) {
    f("one", &Deep::one);
    f("many", &Deep::many);
    f("maybe", &Deep::maybe);
    f("rows", &Deep::rows);
  }
};

struct Nested {
  std::vector<std::vector<std::int64_t>> groups{{0, 20}, {20, 64}};
  std::vector<std::optional<double>> gaps;
  std::vector<std::vector<std::string>> names;
  static void fields(auto& f) {
    f("groups", &Nested::groups).at_least(0);
    f("gaps", &Nested::gaps);
    f("names", &Nested::names).choices({"a", "b"});
  }
};

}  // namespace

TEST_CASE("what is operational is no part of an identity, however deep it stands") {
  const Schema schema = schema_of<Deep>();
  const auto identity = [&](const char* text) {
    return identity_of(schema, resolve(schema, parse_json(text, "t"), "probe 'x'")).text();
  };
  const std::string plain =
      identity(R"({"one": {"size": 2}, "many": [{}], "maybe": {}, "rows": [[{"size": 3}], [{"size": 4}, {}]]})");
  CHECK(plain == R"({"one":{"size":2},"many":[{"size":1}],"maybe":{"size":1},"rows":[[{"size":3}],[{"size":4},{"size":1}]]})");
  CHECK(plain == identity(R"({"one": {"size": 2, "path": "a"}, "many": [{"path": "b"}], "maybe": {"path": "c"},
                              "rows": [[{"size": 3, "path": "d"}], [{"size": 4, "path": "e"}, {"path": "f"}]]})"));
  CHECK(identity(R"({})") == R"({"one":{"size":1},"many":[],"maybe":null,"rows":[]})");
}

TEST_CASE("lists of lists, and of optionals, are read like any other") {
  const Schema schema = schema_of<Nested>();
  const Json full = resolve(
      schema, parse_json(R"({"groups": [[0, 2], [], [5]], "gaps": [1, null], "names": [["a"], ["b", "a"]]})", "t"), "probe 'x'");
  const auto config = read_config<Nested>(full);
  CHECK(config.groups == std::vector<std::vector<std::int64_t>>{{0, 2}, {}, {5}});
  REQUIRE(config.gaps.size() == 2);
  CHECK(config.gaps[0] == 1.0);
  CHECK(!config.gaps[1]);
  CHECK(config.names[1] == std::vector<std::string>{"b", "a"});
  CHECK(read_config<Nested>(resolve(schema, Json::object({}), "probe 'x'")).groups.size() == 2);
  const auto refusal = [&](const char* text) { return message_of([&] { resolve(schema, parse_json(text, "t"), "probe 'x'"); }); };
  CHECK(refusal(R"({"groups": [[0, 2], [-1]]})").find("'groups[1][0]' of probe 'x' is -1, expected a number at least 0") !=
        std::string::npos);
  CHECK(refusal(R"({"groups": [3]})").find("'groups[0]' of probe 'x' takes a list, found the integer 3") != std::string::npos);
  CHECK(refusal(R"({"groups": [["K"]]})").find("'groups[0][0]' of probe 'x' takes an integer") != std::string::npos);
  CHECK(refusal(R"({"names": [["c"]]})").find("'names[0][0]' of probe 'x' is \"c\", expected one of: a, b") != std::string::npos);
}

TEST_CASE("JSON numbers survive writing") {
  for (const double value : {0.1, -0.0, 1.0, 5e-324, 1.7976931348623157e308, 1e21}) {
    const std::string text = Json(value).text();
    CHECK(std::strtod(text.c_str(), nullptr) == value);
    CHECK(text.find_first_of(".e") != std::string::npos);  // reads back as a number, not an integer
  }
  CHECK(Json(std::nan("")).text() == "null");
  CHECK(Json::object({{"b", 1}, {"a", 2}}).canonical() == R"({"a":2,"b":1})");
  CHECK(Json::object({{"b", 1}, {"a", 2}}) == Json::object({{"a", 2}, {"b", 1}}));
}

TEST_CASE("random streams: named, reproducible, independent, of the right moments") {
  // From an independent Philox 4x32-10 in Python: key {7, 0}, counter {block, 0, FNV-1a of "data" 0xff "windows"}. A change of
  // these numbers changes every published run.
  Random pinned(7, "data", "windows");
  for (const std::uint32_t expected : {0x21fa071du, 0x0b390226u, 0x12f60f96u, 0x168ac451u, 0x5933e252u})
    CHECK(pinned.bits() == expected);

  Random a(7, "data", "windows"), again(7, "data", "windows"), other(7, "data", "window"), seed(8, "data", "windows");
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t x = a.bits();
    CHECK(x == again.bits());
    seen.insert({x, other.bits(), seed.bits()});
  }
  CHECK(seen.size() > 2990);

  Random r(1, "test", "moments");
  const int n = 200000;
  double mean = 0, square = 0, fourth = 0, uniform = 0;
  for (int i = 0; i < n; ++i) {
    const double x = r.normal();
    mean += x / n, square += x * x / n, fourth += x * x * x * x / n;
    uniform += r.uniform() / n;
  }
  // Five standard errors each.
  CHECK(std::abs(mean) < 5 / std::sqrt(n));
  CHECK(std::abs(square - 1) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(fourth - 3) < 5 * std::sqrt(96.0 / n));
  CHECK(std::abs(uniform - 0.5) < 5 * std::sqrt(1.0 / 12 / n));

  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[r.below(7)];
  for (const int count : counts) CHECK(std::abs(count - 10000) < 5 * std::sqrt(10000));
}

TEST_CASE("parallel_for covers each index once and passes an error on") {
  const int before = omp_get_max_threads();
  omp_set_num_threads(4);
  for (const std::int64_t n : {0, 1, 2, 17, 1000}) {
    std::vector<int> hits(static_cast<std::size_t>(n));
    std::mutex mutex;
    std::set<std::int64_t> begins;
    parallel_for(n, 3, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++hits[static_cast<std::size_t>(i)];
      const std::lock_guard lock(mutex);
      begins.insert(begin);
    });
    if (n == 17) CHECK(begins == std::set<std::int64_t>{0, 4, 8, 12});  // of what is asked for, not of the threads there are
    CHECK(std::accumulate(hits.begin(), hits.end(), std::int64_t{0}) == n);
    CHECK(std::all_of(hits.begin(), hits.end(), [](int h) { return h == 1; }));
  }
  CHECK(message_of([] { parallel_for(100, 1, [](std::int64_t, std::int64_t) { throw Error(ErrorKind::trial, "inside"); }); }) ==
        "inside");
  omp_set_num_threads(before);
}

TEST_CASE("a copy of a tensor is one of its own, also of one that was never made") {
  const Tensor none;
  Tensor copy = none;
  CHECK(copy.size() == 0);
  CHECK(copy.data() == nullptr);
  Tensor made({2});
  made.data()[1] = 3;
  copy = made;
  made.data()[1] = 4;
  CHECK(copy.shape() == Shape{2});
  CHECK(copy.data()[1] == 3);
  copy = none;
  CHECK(copy.size() == 0);
}

TEST_CASE("views say their type") {
  Tensor t({3, 2});
  CHECK(reinterpret_cast<std::uintptr_t>(t.data()) % 64 == 0);
  CHECK(t.view().f32().size() == 6);
  CHECK(message_of([&] { t.view().i32(); }) == "an i32 view was asked of an f32 array");
  CHECK(text_of(t.shape()) == "[3, 2]");
}
