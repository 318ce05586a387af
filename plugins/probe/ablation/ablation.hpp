#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// After training: dims k >= keep of every matrix are set to 0 and the loss is evaluated again (paper 85, phase B); of a block
// core, its rows and columns. The share is (L(keep) - L(K)) / (L(2) - L(K)): exchangeable dimensions would give
// (K - keep) / (K - 2). Two controls tell whether it matters which dims go, and whether it matters how much goes:
//
//   random<k>      a random k dims of each matrix stay
//   equal_norm<k>  dims of each matrix are taken away in random order until ||alpha - alpha'|| is that of its tail beyond k; the
//                  last one is scaled so that it is exact
class Ablation : public khost::Probe {
 public:
  struct Config {
    std::vector<std::int64_t> keep{64, 32, 20, 8, 4, 2};
    bool controls = true;
    std::int64_t draws = 3;
    std::optional<std::int64_t> per_matrix;
    std::string on = "train";
    static void fields(auto& f) {
      f("keep", &Config::keep).at_least(0).doc("how many leading dims stay; at most K");
      f("controls", &Config::controls).doc("also with random dims, and with random dims of the same norm");
      f("draws", &Config::draws).range(1, 1000).doc("random draws of each control, whose losses are averaged");
      f("per_matrix", &Config::per_matrix).at_least(0).doc("also cut each matrix alone to this many dims");
      f("on", &Config::on)
          .choices({"train", "calibration", "held_out"})
          .doc("where losses are taken: on the batch that the trial adapted on, or on windows that it did not");
    }
  };

  explicit Ablation(const Config& config);
  static void declare(khost::Signals& s, const Config& config);
  void null(khost::NullDraw& draw) override;
  void begin(const khost::TrialInfo& trial) override;
  void conclude(khost::Trial& trial) override;

 private:
  using Change = std::function<void(khost::Alphas&, khost::Random&)>;
  double drawn(khost::Trial& trial, const std::string& purpose, const Change& change) const;
  void each_matrix(khost::Trial& trial, std::int64_t keep, double whole) const;

  Config config_;
  khost::Part on_;
};
