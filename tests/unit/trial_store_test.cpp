#include "store/trial_store.hpp"

#include <doctest/doctest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/interrupt.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "unit/scratch.hpp"
#include "unit/text_file.hpp"

namespace fs = std::filesystem;
using namespace khost;

namespace {

// What is logged while it lives.
class Log {
 public:
  Log() : saved_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)));
  }
  ~Log() { spdlog::set_default_logger(saved_); }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> saved_;
};

TrialResult sample(const std::string& hash) {
  TrialResult t;
  t.key = {"K64 \"quoted\"", "trained", 2, 9007199254740993ull};
  t.hash = hash;
  t.status = "done";
  t.seconds = 2.5;
  t.adapter_parameters = 3073984;
  t.trainable_parameters = 2112;
  using L = std::numeric_limits<double>;
  std::int64_t step = -1;  // of a series that has one for the whole trial, too
  for (const double value : {L::quiet_NaN(), -0.0, 0.0, L::denorm_min(), -3 * L::denorm_min(), L::min(), L::max(), L::lowest(),
                             0.1, 1.0 / 3.0, 5.0, 1e22, 6.02214076e23, L::epsilon(), L::infinity(), -L::infinity()})
    t.add({"snr", "drift/" + std::to_string(t.series.size()), -1, value, "1"}), t.add({"loss", "step", step++, value, "nats"});
  t.add({"loss", "final", -1, 6.0994, "nats"});
  return t;
}

std::string keep(const TrialStore& store, const TrialResult& result) {
  const std::string folder = store.begin(result.hash);
  store.keep(folder, result);
  return folder;
}

int entries(const std::string& folder) {
  return static_cast<int>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a kept trial reads back bit for bit") {
  const Scratch cache;
  const TrialStore store(cache.folder());
  store.ready();
  TrialResult written = sample("abc");
  const std::string folder = store.begin("abc");
  CHECK(fs::is_directory(folder));
  CHECK_FALSE(store.has("abc"));
  CHECK_FALSE(store.load("abc"));
  write_text(folder + "/trace.safetensors", "12345");
  written.artifacts = {{"trace.safetensors", sha256("12345")}};
  store.keep(folder, written);
  CHECK_FALSE(fs::exists(folder));
  CHECK(store.folder("abc") == cache / "trials/abc");
  CHECK(content_of(store.folder("abc") + "/trace.safetensors") == "12345");

  const auto read = store.load("abc");
  REQUIRE(read);
  CHECK(read->key.arm == written.key.arm);
  CHECK(read->key.base == "trained");
  CHECK(read->key.draw == 2);
  CHECK(read->key.seed == 9007199254740993ull);
  CHECK(read->hash == "abc");
  CHECK(read->status == "done");
  CHECK(read->seconds == 2.5);
  CHECK(read->reused);
  CHECK(read->adapter_parameters == 3073984);
  CHECK(read->trainable_parameters == 2112);
  CHECK(read->artifacts == written.artifacts);
  REQUIRE(read->series.size() == written.series.size());
  for (std::size_t i = 0; i < written.series.size(); ++i) {
    const RecordSeries &a = written.series[i], &b = read->series[i];
    CHECK(a.label() == b.label());
    CHECK(a.unit == b.unit);
    REQUIRE(a.points.size() == b.points.size());
    for (std::size_t k = 0; k < a.points.size(); ++k) {
      CHECK(a.points[k].step == b.points[k].step);
      const double x = a.points[k].value, y = b.points[k].value;
      CHECK((std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y) || (std::isnan(x) && std::isnan(y))));
    }
  }
}

TEST_CASE("a damaged trial is not loaded, and the log says which file and what is wrong") {
  const Scratch cache;
  const TrialStore store(cache.folder());
  store.ready();
  TrialResult written = sample("abc");
  const std::string temporary = store.begin("abc");
  write_text(temporary + "/trace.safetensors", "12345");
  written.artifacts = {{"trace.safetensors", sha256("12345")}};
  store.keep(temporary, written);
  const std::string path = store.folder("abc") + "/trial.json", whole = content_of(path);
  std::string expected;

  SUBCASE("cut off") {
    write_text(path, whole.substr(0, whole.size() / 2));
    expected = "trial.json:1:";
  }
  SUBCASE("empty") {
    write_text(path, "");
    expected = "trial.json";
  }
  SUBCASE("one digit differs") {
    std::string text = whole;
    text.replace(text.find("6.0994"), 6, "6.0995");
    write_text(path, text);
    expected = "its checksum does not match its content";
  }
  SUBCASE("a key is missing") {
    write_text(path, "{\"khost_trial\": 3, \"sha256\": \"\"}");
    expected = "the key 'trial' is missing";
  }
  SUBCASE("an artifact is cut off") {
    write_text(store.folder("abc") + "/trace.safetensors", "123");
    expected = "the artifact trace.safetensors has 3 bytes, expected 5";
  }
  SUBCASE("an artifact has the same size and another content") {
    write_text(store.folder("abc") + "/trace.safetensors", "12354");
    expected = "the artifact trace.safetensors does not have the checksum";
  }
  SUBCASE("an artifact is gone") {
    fs::remove(store.folder("abc") + "/trace.safetensors");
    expected = "the artifact trace.safetensors is not in";
  }
  SUBCASE("a value of a step differs") {
    std::string bytes = content_of(store.folder("abc") + "/series.bin");
    bytes[20] = static_cast<char>(bytes[20] ^ 1);
    write_text(store.folder("abc") + "/series.bin", bytes);
    expected = "series.bin does not have the checksum";
  }
  SUBCASE("the values of steps are gone") {
    fs::remove(store.folder("abc") + "/series.bin");
    expected = "series.bin is not in";
  }
  SUBCASE("it is another trial's") {
    fs::copy(store.folder("abc"), store.folder("def"));
    const Log log;
    CHECK_FALSE(store.load("def"));
    CHECK(log.text().find("it is of the trial abc, expected def") != std::string::npos);
    return;
  }
  const Log log;
  CHECK_FALSE(store.load("abc"));
  CHECK_MESSAGE(log.text().find(expected) != std::string::npos, log.text());
  CHECK(log.text().find("trials/abc/trial.json") != std::string::npos);
  CHECK(log.text().find("the trial is run again") != std::string::npos);

  // A second run replaces it.
  keep(store, sample("abc"));
  CHECK(store.load("abc"));
  CHECK(entries(cache / "trials") == 1);
}

TEST_CASE("an interrupt while a trial's artifacts are verified does not make it a damaged one") {
  const Scratch cache;
  const TrialStore store(cache.folder());
  store.ready();
  TrialResult written = sample("abc");
  const std::string folder = store.begin("abc");
  write_text(folder + "/trace.safetensors", "12345");
  written.artifacts = {{"trace.safetensors", sha256("12345")}};
  store.keep(folder, written);
  const Log log;
  ErrorKind kind = ErrorKind::usage;
  request_interrupt();
  try {
    store.load("abc");
  } catch (const Error& e) {
    kind = e.kind();
  }
  clear_interrupt();
  CHECK(kind == ErrorKind::interrupted);
  CHECK(log.text() == "");
  CHECK(store.load("abc"));
}

TEST_CASE("a trial of another format version is run again without complaint") {
  const Scratch cache;
  const TrialStore store(cache.folder());
  store.ready();
  fs::create_directory(store.folder("abc"));
  write_text(store.folder("abc") + "/trial.json", "{\"khost_trial\": 2, \"what\": \"ever\"}");
  const Log log;
  CHECK_FALSE(store.load("abc"));
  CHECK(log.text().find("warning") == std::string::npos);
}

TEST_CASE("the first of two processes wins") {
  const Scratch cache;
  const TrialStore store(cache.folder());
  store.ready();
  const std::string first = store.begin("abc"), second = store.begin("abc");
  CHECK(first != second);
  TrialResult result = sample("abc");
  result.seconds = 1;
  store.keep(first, result);
  result.seconds = 2;
  store.keep(second, result);
  CHECK(store.load("abc")->seconds == 1);
  CHECK(entries(cache / "trials") == 1);
}

TEST_CASE("only finished trials are kept") {
  const Scratch cache;
  const TrialStore store(cache.folder());
  store.ready();
  TrialResult failed = sample("abc");
  failed.status = "failed";
  const std::string folder = store.begin("abc");
  CHECK_THROWS_WITH_AS(store.keep(folder, failed), doctest::Contains("a trial with status 'failed' is not kept"), Error);
  store.discard(folder);
  CHECK(entries(cache / "trials") == 0);

  TrialResult outside = sample("abc");
  outside.artifacts = {{"../elsewhere", ""}};
  const std::string again = store.begin("abc");
  CHECK_THROWS_WITH_AS(store.keep(again, outside), doctest::Contains("'../elsewhere' is no file name"), Error);
}

TEST_CASE("a store that is only looked at touches nothing") {
  const Scratch cache;
  const TrialStore store(cache / "cache");
  CHECK_FALSE(store.has("abc"));
  CHECK_FALSE(store.load("abc"));
  CHECK_FALSE(fs::exists(cache / "cache"));
  store.ready();
  CHECK(entries(cache / "cache/trials") == 0);
}

TEST_CASE("a cache that cannot be written is said with its name") {
  const Scratch folder;
  write_text(folder / "file", "");
  CHECK_THROWS_WITH_AS(TrialStore(folder / "file").ready(), doctest::Contains("cannot make the folder"), Error);
}
