// What processes of one run say to each other arrives as it was said.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <thread>

#include "run/wire.hpp"

using namespace khost;

namespace {

struct Ends {
  int raw[2] = {-1, -1};
  Ends() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, raw) == 0); }
};

constexpr std::chrono::milliseconds soon{5000}, now{0};

TrialResult a_result() {
  TrialResult r;
  r.key.arm = "K64", r.key.base = "trained", r.key.draw = 2, r.key.seed = 7;
  r.hash = "abc", r.status = "done", r.message = "", r.seconds = 1.5, r.adapter_parameters = 64, r.trainable_parameters = 65;
  r.series = {{"loss", "final", "nats", {{-1, 7.25}}},
              {"snr", "drift/0", "1", {{0, std::nan("")}, {1, -std::numeric_limits<double>::infinity()}}},
              {"none", "at all", "1", {}}};
  r.artifacts = {{"trace.safetensors", std::string(64, 'f')}};
  return r;
}

void same(const TrialResult& a, const TrialResult& b) {
  CHECK(a.key.text() == b.key.text());
  CHECK(a.key.draw == b.key.draw);
  CHECK(a.hash == b.hash);
  CHECK(a.status == b.status);
  CHECK(a.message == b.message);
  CHECK(a.seconds == b.seconds);
  CHECK(a.reused == b.reused);
  CHECK(a.adapter_parameters == b.adapter_parameters);
  CHECK(a.trainable_parameters == b.trainable_parameters);
  CHECK(a.artifacts == b.artifacts);
  REQUIRE(a.series.size() == b.series.size());
  for (std::size_t i = 0; i < a.series.size(); ++i) {
    CHECK(a.series[i].label() == b.series[i].label());
    CHECK(a.series[i].unit == b.series[i].unit);
    REQUIRE(a.series[i].points.size() == b.series[i].points.size());
    for (std::size_t k = 0; k < a.series[i].points.size(); ++k) {
      CHECK(a.series[i].points[k].step == b.series[i].points[k].step);
      CHECK(std::bit_cast<std::uint64_t>(a.series[i].points[k].value) ==
            std::bit_cast<std::uint64_t>(b.series[i].points[k].value));
    }
  }
}

}  // namespace

TEST_CASE("wire: what is sent arrives as it is, in its order, whatever its size") {
  const Ends ends;
  Wire here(ends.raw[0]), there(ends.raw[1]);
  CHECK_FALSE(there.receive(now));

  TrialResult sent = a_result();
  sent.series.push_back({"long", "one", "1", {}});
  for (std::int64_t i = 0; i < 300'000; ++i) sent.series.back().points.push_back({i, std::sqrt(static_cast<double>(i))});
  std::thread sender([&] {  // it is more than a socket holds
    here.send(Said::ready);
    here.send(Said::done, [&](State& s) { s(sent); });
    here.send(Said::note, "a sentence");
  });
  CHECK(there.receive(soon)->kind == Said::ready);
  const auto done = there.receive(soon);
  REQUIRE(done);
  CHECK(done->kind == Said::done);
  TrialResult got;
  done->read([&](State& s) { s(got); });
  same(got, sent);
  const auto note = there.receive(soon);
  sender.join();
  REQUIRE(note);
  CHECK(note->content == "a sentence");

  Setup setup;
  setup.options.manifest = "m", setup.options.resolved = "{}", setup.options.cache = "c", setup.options.backend = "blis";
  setup.options.checkpoint_period = 2.5, setup.run_hash = "h", setup.memory = 1e9;
  there.send(Said::setup, [&](State& s) { s(setup); });
  Setup set;
  here.receive(soon)->read([&](State& s) { s(set); });
  CHECK(set.options.manifest == "m");
  CHECK(set.options.resolved == "{}");
  CHECK(set.options.cache == "c");
  CHECK(set.options.backend == "blis");
  CHECK_FALSE(set.options.threads);
  CHECK(set.options.checkpoint_period == 2.5);
  CHECK(set.run_hash == "h");
  CHECK(set.memory == 1e9);

  Assignment assignment{3, "folder", "checkpoint", {a_result(), a_result()}};
  there.send(Said::task, [&](State& s) { s(assignment); });
  Assignment assigned;
  here.receive(soon)->read([&](State& s) { s(assigned); });
  CHECK(assigned.index == 3);
  CHECK(assigned.folder == "folder");
  CHECK(assigned.checkpoint == "checkpoint");
  REQUIRE(assigned.needs.size() == 2);
  same(assigned.needs[1], a_result());
}

TEST_CASE("wire: what was sent before an end is read, then the end is seen; half a message is none") {
  for (const bool torn : {false, true}) {
    CAPTURE(torn);
    const Ends ends;
    Wire there(ends.raw[1]);
    {
      Wire here(ends.raw[0]);
      here.send(Said::note, "last words");
      const std::string half = torn ? message_bytes(Said::dying, "cut off").substr(0, 12) : "";
      REQUIRE(::send(ends.raw[0], half.data(), half.size(), 0) == std::ssize(half));
    }
    CHECK(there.receive(soon)->content == "last words");
    CHECK_THROWS_AS(there.receive(soon), WireClosed);
    CHECK_THROWS_AS(there.send(Said::stop), WireClosed);
  }
}

TEST_CASE("wire: a message that holds less or more than is read of it is its sender's end") {
  StepDone step;
  CHECK_THROWS_AS((Wire::Message{Said::step, "short"}).read([&](State& s) { s(step); }), WireClosed);
  CHECK_THROWS_AS((Wire::Message{Said::step, std::string(17, 'x')}).read([&](State& s) { s(step); }), WireClosed);
}
