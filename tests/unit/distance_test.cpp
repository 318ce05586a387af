// How far a run is from the published figures.
#include "report/distance.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace khost;

namespace {

TrialResult trial(const std::string& base, std::uint64_t seed, std::vector<Record> records) {
  TrialResult t;
  t.key = {"K8", base, 0, seed};
  t.status = "done";
  for (const Record& r : records) t.add(r);
  return t;
}

std::vector<PublishedFigure> published() {
  std::vector<PublishedFigure> out{
      {"K8/loss/base", 8, "8.0000", "", ""}, {"K8/loss/final", 7, "7.0000", "", ""},    {"K8/snr/a", 2, "2", "", ""},
      {"K8/snr/b", 1, "100 %", "", ""},      {"K8/parameters/adapter", 5, "5", "", ""}, {"K8/snr/other", 1, "1", "", ""}};
  out[1].below = "K8/loss/base";
  return out;
}

}  // namespace

TEST_CASE("the distance to published figures, by its formula") {
  Run run;
  run.trials.push_back(trial("x", 0,
                             {{"loss", "base", -1, 8.8, "nats"},
                              {"loss", "final", -1, 8.3, "nats"},  // a fall of 0.5 where 1 is published
                              {"snr", "a", -1, 2, "1"},
                              {"snr", "b", -1, -3, "1"},  // no logarithm: a factor of 10
                              {"parameters", "adapter", -1, 99, "parameters"}}));
  run.trials.push_back(trial("x", 1,
                             {{"loss", "base", -1, 8, "nats"},
                              {"loss", "final", -1, 7, "nats"},
                              {"snr", "a", -1, 2, "1"},
                              {"snr", "b", -1, 1, "1"},
                              {"parameters", "adapter", -1, 99, "parameters"}}));
  const std::vector<PublishedFigure> figures = published();
  const auto distances = distances_of(figures_of(run, figures), figures);
  REQUIRE(distances.size() == 1);
  const Distance& d = distances[0];
  CHECK(d.figures == 4);  // parameters do not count, and what the run does not measure
  CHECK(d.whole.n == 2);
  // Weights: rounded to the 4th decimal, to a whole number (0.5 / sqrt(3) / 2), to a percent.
  const auto weight = [](double r) { return 1 / (0.01 + r * r); };
  const double base = weight(0.5e-4 / std::sqrt(3.0) / 8), fall = weight(0.5e-4 * std::sqrt(2.0 / 3)),
               a = weight(0.5 / std::sqrt(3.0) / 2), b = weight(0.005 / std::sqrt(3.0));
  const double l = std::log(8.8 / 8), f = std::log(0.5), ten = std::log(10.0);
  const double first = std::sqrt((base * l * l + fall * f * f + b * ten * ten) / (base + fall + a + b));
  CHECK(d.whole.mean == doctest::Approx(first / 2).epsilon(1e-12));  // the second seed is as published
  CHECK(d.odd.mean == doctest::Approx(std::sqrt(base * l * l / (base + a)) / 2).epsilon(1e-12));
  CHECK(d.even.mean == doctest::Approx(std::sqrt((fall * f * f + b * ten * ten) / (fall + b)) / 2).epsilon(1e-12));
  CHECK(d.apart == doctest::Approx(first).epsilon(1e-12));
}

TEST_CASE("a distance over draws, of figures of which an arm has one seed alone") {
  Run run;
  for (std::int64_t draw = 0; draw < 3; ++draw)
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      run.trials.push_back(trial("x", seed, {{"snr", "a", -1, 2 * std::exp(static_cast<double>(draw)), "1"}}));
      run.trials.back().key.draw = draw;
    }
  run.trials.push_back(trial("x", 0, {{"snr", "b", -1, 1, "1"}}));
  run.trials.back().key.arm = "spectra";
  std::vector<PublishedFigure> figures{{"K8/snr/a", 2, "2.000", "", ""}, {"spectra/snr/b", 1, "1.000", "", ""}};
  const Distance d = distances_of(figures_of(run, figures), figures).at(0);
  CHECK(d.figures == 2);
  CHECK(d.whole.n == 3);                                  // draws, not twelve seeds
  CHECK(d.odd.mean == doctest::Approx(1).epsilon(1e-3));  // of 0, 1 and 2
  CHECK(d.even.mean == 0);
  CHECK(d.apart == 0);
}

TEST_CASE("a seed of which something is missing has no distance, and without figures there is none") {
  Run run;
  run.trials.push_back(trial("x", 0, {{"snr", "a", -1, 2, "1"}, {"snr", "b", -1, std::nan(""), "1"}}));
  run.trials.push_back(trial("x", 1, {{"snr", "a", -1, 2, "1"}, {"snr", "b", -1, 1, "1"}}));
  const std::vector<PublishedFigure> figures = published();
  const auto distances = distances_of(figures_of(run, figures), figures);
  REQUIRE(distances.size() == 1);
  CHECK(distances[0].whole.n == 1);
  CHECK(distances[0].whole.mean == 0);
  CHECK(std::isnan(distances[0].apart));
  CHECK(distance_text(distances[0].whole) == "0.000");
  CHECK(distances_of(figures_of(run, {}), {}).empty());
}
