// What a checkpoint writes it reads back, or says why not.
#include "engine/checkpoint.hpp"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <limits>

#include "khost/error.hpp"
#include "khost/probe.hpp"
#include "khost/random.hpp"
#include "khost/spectral.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

namespace fs = std::filesystem;
using namespace khost;

namespace {

struct Part {
  std::string name;
  std::vector<double> values;
  void state(State& s) { s(name, values); }
  bool operator==(const Part&) const = default;
};

struct Everything {
  std::int64_t whole = 0;
  double real = 0;
  bool yes = false;
  std::array<float, 3> fixed{};
  Mean mean;
  Random random{0, "a", "b"};
  std::string text;
  std::vector<std::vector<float>> rows;
  std::vector<Part> parts;
  std::map<std::string, std::vector<int>> by_name;
  Basis basis;
  std::vector<float> in_place{0, 0};
  void state(State& s) {
    s(whole, real, yes, fixed, mean, random, text, rows, parts, by_name, basis);
    s.in_place(std::span<float>(in_place));
  }
};

}  // namespace

TEST_CASE("a checkpoint gives back what it was given, bit for bit, and only to what it is of") {
  const Scratch folder;
  const std::string file = folder / "checkpoints/abc";
  Everything written;
  written.whole = -7, written.real = -0.0, written.yes = true, written.fixed = {1, 2, 3}, written.mean.add(2.5);
  written.random.normal();
  written.text = std::string("a\0b\n", 4);
  written.rows = {{1, 2}, {}, {std::numeric_limits<float>::infinity()}};
  written.parts = {{"x", {1e-300}}, {"", {}}};
  written.by_name = {{"one", {1}}, {"", {}}};
  written.basis = {2, 3, 1, {1, 2}, {3, 4, 5}, {6}};
  written.in_place = {8, 9};
  Checkpoint(file, "abc", 0).keep([&](State& s) { s(written); });

  Everything read;
  read.rows = {{5}};  // what was there goes
  read.by_name = {{"other", {2}}};
  CHECK_FALSE(Checkpoint(file, "another", 0).resume([&](State& s) { s(read); }));
  CHECK_FALSE(fs::exists(file));
  Checkpoint(file, "abc", 0).keep([&](State& s) { s(written); });
  REQUIRE(Checkpoint(file, "abc", 0).resume([&](State& s) { s(read); }));
  CHECK(read.whole == -7);
  CHECK(std::signbit(read.real));
  CHECK(read.yes);
  CHECK(read.fixed == written.fixed);
  CHECK(read.mean.value() == 2.5);
  CHECK(read.random.normal() == written.random.normal());
  CHECK(read.random.bits() == written.random.bits());
  CHECK(read.text == written.text);
  CHECK(read.rows == written.rows);
  CHECK(read.parts == written.parts);
  CHECK(read.by_name == written.by_name);
  CHECK(read.basis.V == written.basis.V);
  CHECK(read.basis.sigma == written.basis.sigma);
  CHECK(read.in_place == written.in_place);
}

TEST_CASE("a checkpoint is due when its time has passed, and none is kept of what is unknown or where nothing can be written") {
  const Scratch folder;
  std::int64_t value = 1;
  CHECK(Checkpoint(folder / "a", "a", 0).due());
  CHECK_FALSE(Checkpoint(folder / "a", "a", 3600).due());
  CHECK_FALSE(Checkpoint("", "a", 0).due());

  Checkpoint unknown(folder / "a", "a", 0);
  unknown.keep([](State& s) { s.unknown(); });
  CHECK_FALSE(fs::exists(folder / "a"));
  CHECK_FALSE(unknown.due());  // and is not asked again
  Probe plain;
  Checkpoint of_a_probe(folder / "a", "a", 0);
  of_a_probe.keep([&](State& s) { plain.state(s); });
  CHECK_FALSE(fs::exists(folder / "a"));

  write_text(folder / "in the way", "");
  Checkpoint nowhere(folder / "in the way/a", "a", 0);
  CHECK_NOTHROW(nowhere.keep([&](State& s) { s(value); }));
  CHECK_FALSE(nowhere.due());
}

TEST_CASE("a checkpoint of which more or less is read than was written is no longer one") {
  const Scratch folder;
  std::int64_t a = 1, b = 2;
  std::vector<double> many(3);
  const auto keep = [&] { Checkpoint(folder / "a", "a", 0).keep([&](State& s) { s(a, b); }); };
  const auto resume = [&](const Checkpoint::Visit& visit) { return Checkpoint(folder / "a", "a", 0).resume(visit); };
  keep();
  CHECK_THROWS_WITH_AS(resume([&](State& s) { s(a); }), doctest::Contains("less is read of a state"), Error);
  CHECK_FALSE(fs::exists(folder / "a"));
  keep();
  CHECK_THROWS_WITH_AS(resume([&](State& s) { s(a, b, a); }), doctest::Contains("more is read of a state"), Error);
  CHECK_FALSE(resume([&](State& s) { s(a); }));
  a = std::int64_t{1} << 60;  // taken for a length it is refused before memory is asked for
  keep();
  CHECK_THROWS_WITH_AS(resume([&](State& s) { s(many); }), doctest::Contains("more is read of a state"), Error);
}
