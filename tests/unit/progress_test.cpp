#include "report/progress.hpp"

#include <doctest/doctest.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <limits>
#include <thread>
#include <vector>

#include "report/text.hpp"

using namespace khost;

namespace {

// A terminal as far as Progress uses one: text, line feeds, and "up N lines, clear to the end".
class Screen {
 public:
  void write(std::string_view text) {
    while (!text.empty()) {
      if (text.starts_with("\x1b[")) {
        const std::size_t end = text.find_first_not_of("0123456789", 2);
        if (text[end] == 'A') lines_.resize(lines_.size() - static_cast<std::size_t>(std::atoi(text.substr(2).data())));
        text.remove_prefix(end + 1);
        continue;
      }
      if (text[0] == '\n') {
        lines_.push_back(line_);
        line_.clear();
      } else if (text[0] != '\r') {
        line_ += text[0];
      }
      text.remove_prefix(1);
    }
  }
  std::string text() const {
    std::string all;
    for (const std::string& line : lines_) all += line + "\n";
    return all + line_;
  }

 private:
  std::vector<std::string> lines_;
  std::string line_;
};

struct Fixture {
  Screen screen;
  std::string raw;
  double time = 100;
  ProgressOutput::Size size{60, 24};

  ProgressOutput output(bool is_terminal) {
    ProgressOutput o;
    o.write = [this](std::string_view text) {
      raw += text;
      screen.write(text);
    };
    o.is_terminal = is_terminal;
    o.size = [this] { return size; };
    o.now = [this] { return time; };
    return o;
  }
};

TrialResult done(const TrialKey& key, double seconds) {
  TrialResult t;
  t.key = key;
  t.status = "done";
  t.seconds = seconds;
  for (const Record& r : std::vector<Record>{
           {"loss", "base", -1, 7.8123, "nats"}, {"loss", "final", -1, 6.0991, "nats"}, {"loss", "final", 3, 1, "nats"}})
    t.add(r);
  return t;
}

// So many trials, all of arms that cost the same.
std::map<std::string, Progress::Arm> trials(int count) {
  return {{"trained/K64", {count - count / 2, 1}}, {"null/K32", {count / 2, 1}}};
}

const TrialKey a{"K64", "trained", 0, 2}, b{"K32", "null", 1, 3};

}  // namespace

TEST_CASE("in a pipe: a line per finished trial") {
  Fixture f;
  {
    Progress progress(trials(4), 2, f.output(false));
    progress.start(0, a, 40);
    progress.start(1, b, 40);
    progress.step(0, 0, 7.8123);
    progress.finish(0, done(a, 2.42));
    progress.message("building base 'trained'");
    TrialResult failed = done(b, 1);
    failed.status = "failed";
    failed.message = "the loss is NaN\n  in step 3";
    progress.finish(1, failed);
    TrialResult reused = done(a, 2.42);
    reused.reused = true;
    progress.finish(0, reused);
    TrialResult bare = done(b, 200);
    bare.series.clear();
    progress.finish(1, bare);
  }
  CHECK(f.raw ==
        "[1/4] trained K64 seed 2: loss 7.8123 -> 6.0991, 2.4 s\n"
        "building base 'trained'\n"
        "[2/4] null draw 1 K32 seed 3: failed: the loss is NaN\n"
        "[3/4] trained K64 seed 2: loss 7.8123 -> 6.0991, from the cache\n"
        "[4/4] null draw 1 K32 seed 3: 3 min 20 s\n");
}

TEST_CASE("on a terminal: a status line per job, rewritten in place") {
  Fixture f;
  Progress progress(trials(10), 2, f.output(true));
  progress.start(0, a, 40);
  progress.start(1, b, 40);
  CHECK(f.screen.text() ==
        "  trained K64 seed 2  step 0/40\n  null draw 1 K32 seed 3  step 0/40\n[                    ] 0/10 trials\n");

  f.time += 0.05;  // too soon to draw again
  progress.step(0, 9, 7.5);
  CHECK(f.screen.text().find("loss") == std::string::npos);

  f.time = 104;  // 4 s for half a trial, so 8 s for each of the 9.5 that remain, for two jobs: 38 s
  progress.step(0, 19, 7.25);
  CHECK(f.screen.text() ==
        "  trained K64 seed 2  step 20/40  loss 7.2500\n  null draw 1 K32 seed 3  step 0/40\n[=                   ] 0/10 trials, "
        "about 38 s left\n");

  SUBCASE("messages and failures stay above it") {
    progress.message("one line\nand another");
    TrialResult failed = done(b, 1);
    failed.status = "failed";
    failed.message = "the loss is NaN";
    progress.finish(1, failed);
    CHECK(f.screen.text() ==
          "one line\nand another\n[1/10] null draw 1 K32 seed 3: failed: the loss is NaN\n"
          "  trained K64 seed 2  step 20/40  loss 7.2500\n[==                  ] 1/10 trials, 1 failed, about 34 s...\n");
    progress.close();
    CHECK(f.screen.text() == "one line\nand another\n[1/10] null draw 1 K32 seed 3: failed: the loss is NaN\n");
    progress.message("after");
    CHECK(f.screen.text().ends_with("the loss is NaN\nafter\n"));
  }
  SUBCASE("a finished trial leaves no line") {
    progress.finish(0, done(a, 5));  // 5 s for one trial; 9 remain for two jobs: 22.5 s
    CHECK(f.screen.text() == "  null draw 1 K32 seed 3  step 0/40\n[===                 ] 1/10 trials, about 23 s left\n");
  }
  SUBCASE("lines fit the terminal, in width and number") {
    f.size = {24, 3};
    progress.message("x");
    CHECK(f.screen.text() == "x\n  trained K64 seed 2...\n[=                  ...\n");
  }
}

TEST_CASE("the log prints through the progress") {
  Fixture f;
  const auto before = spdlog::default_logger();
  {
    Progress progress(trials(1), 1, f.output(true));
    const LogThrough through([&](std::string_view line) { progress.message(line); });
    progress.start(0, a, 40);
    spdlog::warn("a file is damaged");
    CHECK(f.screen.text() == "warning: a file is damaged\n  trained K64 seed 2  step 0/40\n[                    ] 0/1 trials\n");
  }
  CHECK(spdlog::default_logger() == before);
  CHECK(f.screen.text() == "warning: a file is damaged\n");
}

TEST_CASE("jobs report at the same time without garbling") {
  Fixture f;
  Progress progress(trials(200), 4, f.output(false));
  std::vector<std::thread> threads;
  for (int job = 0; job < 4; ++job)
    threads.emplace_back([&progress, job] {
      for (int i = 0; i < 50; ++i) {
        progress.start(job, a, 3);
        for (int s = 0; s < 3; ++s) progress.step(job, s, 1);
        progress.finish(job, done(a, 1));
      }
    });
  for (std::thread& t : threads) t.join();
  std::string expected;
  for (int i = 1; i <= 200; ++i) expected += "[" + std::to_string(i) + "/200] trained K64 seed 2: loss 7.8123 -> 6.0991, 1.0 s\n";
  CHECK(f.raw == expected);
}

TEST_CASE(
    "on a terminal: what else takes long has a line with its count, its words and the time left; in a pipe one now and then") {
  Fixture f;
  Activity draws("draws of snr's null", Activity::Kind::dropped, 1000);
  {
    Progress progress(trials(2), 1, f.output(true));
    progress.look();
    CHECK(f.screen.text() == "  draws of snr's null  0/1000\n[                    ] 0/2 trials\n");
    draws.advance(250);
    f.time += 10;
    progress.detail("draws of snr's null", "so far so good");
    progress.look();
    CHECK(f.screen.text() == "  draws of snr's null  250/1000  so far so good  about 3...\n[                    ] 0/2 trials\n");
  }
  CHECK(f.screen.text() == "");
  f.raw.clear();
  Progress piped(trials(2), 1, f.output(false));
  piped.look();
  CHECK(f.raw == "");  // a short one needs no word
  f.time += 31;
  draws.advance(250);
  piped.look();
  CHECK(f.raw == "draws of snr's null  500/1000  about 1 min 02 s left\n");
  f.time += 29;
  piped.look();
  CHECK(f.raw == "draws of snr's null  500/1000  about 1 min 02 s left\n");
}

TEST_CASE("the time left knows each arm by its own trials, and one that has not run by its cost") {
  Fixture f;
  f.size = {80, 24};
  Progress progress({{"null/K32", {10, 1}}, {"trained/K64", {10, 2}}}, 1, f.output(true));
  TrialResult small = done(b, 3);
  progress.start(0, b, 40);
  progress.finish(0, small);  // 9 of 3 s, and 10 of twice the cost
  CHECK(f.screen.text().find("1/20 trials, about 1 min 27 s left") != std::string::npos);
  progress.start(0, a, 40);
  progress.finish(0, done(a, 10));  // as it turns out: 9 of 3 s, 9 of 10 s
  CHECK(f.screen.text().find("2/20 trials, about 1 min 57 s left") != std::string::npos);
  small.reused = true;
  for (int i = 0; i < 9; ++i) progress.finish(0, small);  // these cost nothing any more
  progress.look();
  CHECK(f.screen.text().find("11/20 trials, 9 from the cache, about 1 min 30 s left") != std::string::npos);
}
