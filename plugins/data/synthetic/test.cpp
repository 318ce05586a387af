#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "khost/error.hpp"
#include "khost/schema.hpp"
#include "synthetic.hpp"

using namespace khost;

namespace {

struct NoArtifacts : ArtifactStore {
  std::string get(std::string_view, const Json&, std::string_view, const std::function<void(const std::string&)>&) override {
    FAIL("needs nothing");
    return "";
  }
  std::string corpus_file(std::string_view) override {
    FAIL("needs nothing");
    return "";
  }
};

Synthetic make(const Synthetic::Config& config, std::vector<Json> siblings = {}) {
  NoArtifacts artifacts;
  DataContext context{artifacts, std::move(siblings), ".", 1};
  return Synthetic(config, context);
}

std::vector<std::int32_t> all_of(const Synthetic& data, Part part) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(data.tokens(part)));
  Random random(0, "test", "all");
  data.windows(part, 1, data.tokens(part), random, tokens);  // one start only: the whole part
  return tokens;
}

double entropy(const std::map<std::int64_t, double>& counts) {
  double sum = 0, h = 0;
  for (const auto& [key, n] : counts) sum += n;
  for (const auto& [key, n] : counts) h -= n / sum * std::log(n / sum);
  return h;
}

struct Statistics {
  std::vector<double> frequency;
  double unigram = 0, conditional = 0;  // entropies in nats
};

Statistics statistics(const std::vector<std::int32_t>& tokens, std::int64_t vocab) {
  std::map<std::int64_t, double> one, two;
  Statistics s;
  s.frequency.resize(static_cast<std::size_t>(vocab));
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    one[tokens[i]] += 1;
    two[tokens[i] * vocab + tokens[i + 1]] += 1;
    s.frequency[static_cast<std::size_t>(tokens[i])] += 1.0 / static_cast<double>(tokens.size());
  }
  s.unigram = entropy(one);
  s.conditional = entropy(two) - entropy(one);
  return s;
}

double zipf_entropy(std::int64_t vocab, double exponent) {
  std::map<std::int64_t, double> weights;
  for (std::int64_t r = 0; r < vocab; ++r) weights[r] = std::pow(static_cast<double>(r + 1), -exponent);
  return entropy(weights);
}

double bound(const Synthetic::Config& c) {
  const double p = c.coherence, q = 1 - p;
  return -p * std::log(p) - q * std::log(q) + p * std::log(static_cast<double>(c.branching)) + q * zipf_entropy(c.vocab, c.zipf);
}

}  // namespace

TEST_CASE("tokens follow Zipf's law where nothing else decides") {
  Synthetic::Config c;
  c.vocab = 300;
  c.coherence = 0;
  c.zipf = 1.2;
  c.tokens = 1'000'000;
  const Statistics s = statistics(all_of(make(c), Part::train), c.vocab);
  double norm = 0;
  for (std::int64_t r = 0; r < c.vocab; ++r) norm += std::pow(static_cast<double>(r + 1), -c.zipf);
  for (const int r : {0, 1, 2, 5, 20, 100, 299}) {
    const double expected = std::pow(r + 1.0, -c.zipf) / norm;
    CHECK(std::abs(s.frequency[static_cast<std::size_t>(r)] - expected) < 5 * std::sqrt(expected / 900'000));
  }
  CHECK(s.unigram == doctest::Approx(zipf_entropy(300, 1.2)).epsilon(0.005));
}

TEST_CASE("the last token tells of the next, as much as the entropy bound says") {
  Synthetic::Config c;
  c.tokens = 2'000'000;
  CHECK(zipf_entropy(c.vocab, c.zipf) == doctest::Approx(4.76).epsilon(0.002));
  CHECK(bound(c) == doctest::Approx(3.01).epsilon(0.002));
  const Statistics s = statistics(all_of(make(c), Part::train), c.vocab);
  CHECK(s.conditional < bound(c) + 0.02);
  CHECK(s.conditional > bound(c) - 0.6);
  CHECK(s.conditional < s.unigram - 1);
  // Still about Zipf with the table in play: the slope of log frequency over log rank, pooled over ranks 1-16 and 17-256.
  const auto mass = [&](std::size_t from, std::size_t to) {
    return std::accumulate(s.frequency.begin() + from, s.frequency.begin() + to, 0.0);
  };
  double head = 0, tail = 0;
  for (int r = 0; r < 16; ++r) head += 1 / (r + 1.0);
  for (int r = 16; r < 256; ++r) tail += 1 / (r + 1.0);
  CHECK(mass(0, 16) / mass(16, 256) == doctest::Approx(head / tail).epsilon(0.2));

  c.coherence = 1;
  c.branching = 1;  // a walk that is decided by its first token
  CHECK(statistics(all_of(make(c), Part::train), c.vocab).conditional < 0.001);
}

TEST_CASE("parts have their share, differ, and come again with the seed") {
  Synthetic::Config c;
  c.tokens = 10'001;
  c.held_out = 0.1;
  const Synthetic a = make(c), b = make(c);
  CHECK(a.vocabulary() == 512);
  CHECK(a.tokens(Part::held_out) == 1000);
  CHECK(a.tokens(Part::calibration) == 500);
  CHECK(a.tokens(Part::train) == 8501);
  for (const Part part : {Part::train, Part::calibration, Part::held_out}) CHECK(all_of(a, part) == all_of(b, part));
  const auto train = all_of(a, Part::train), held_out = all_of(a, Part::held_out);
  CHECK(std::search(train.begin(), train.end(), held_out.begin(), held_out.begin() + 20) == train.end());
  CHECK(a.identity() == b.identity());
  for (const auto change : {+[](Synthetic::Config& d) { d.source_seed = 1; }, +[](Synthetic::Config& d) { d.zipf = 0.9; },
                            +[](Synthetic::Config& d) { d.branching = 5; }, +[](Synthetic::Config& d) { d.coherence = 0.6; }}) {
    Synthetic::Config d = c;
    change(d);
    CHECK(make(d).identity() != a.identity());
    CHECK(all_of(make(d), Part::train) != train);
  }
}

TEST_CASE("windows are consecutive tokens from all over the part") {
  Synthetic::Config c;
  c.tokens = 2000;
  const Synthetic data = make(c);
  const auto train = all_of(data, Part::train);
  Random random(9, "test", "windows");
  std::vector<std::int32_t> out(200 * 17);
  data.windows(Part::train, 200, 17, random, out);
  std::int64_t early = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    const auto found = std::search(train.begin(), train.end(), out.begin() + i * 17, out.begin() + (i + 1) * 17);
    REQUIRE(found != train.end());
    early += found - train.begin() < 900;
  }
  CHECK(early > 60);
  CHECK(early < 140);
}

TEST_CASE("what does not fit is said") {
  Synthetic::Config c;
  c.tokens = 1000;
  const Synthetic data = make(c);
  Random random(9, "test", "windows");
  std::vector<std::int32_t> out(128);
  CHECK_THROWS_WITH_AS(data.windows(Part::held_out, 1, 128, random, out),
                       "a window of 128 tokens is longer than the text: the held_out part of the synthetic data has 50\n"
                       "  shorten \"sequence\", or raise \"tokens\"",
                       Error);
  CHECK_THROWS_WITH_AS(data.windows(Part::train, 2, 128, random, out),
                       doctest::Contains("2 windows of 128 tokens do not fill 128 places"), Error);
  c.held_out = 0.95;
  CHECK_THROWS_WITH_AS(make(c), doctest::Contains("leave no token to train on"), Error);
  Json sibling = resolve(schema_of<Synthetic::Config>(), Json(Json::Object{}), "data 'synthetic'");
  sibling.set("vocab", 64);
  CHECK_THROWS_WITH_AS(make(Synthetic::Config{}, {sibling}), doctest::Contains("\"vocab\" is 64 here, but 512 elsewhere"), Error);
}
