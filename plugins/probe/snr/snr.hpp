#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "khost/probe.hpp"
#include "khost/schema.hpp"

// Gradient signal-to-noise ratio of alpha, per group of dimensions (paper 85), in two meanings that are never mixed:
//
//   drift  over the training steps:           mean_t |g_k,t| / sd_t(g_k,t)
//   batch  at fixed weights, over independent batches: the same statistic, and its debiased form
//          (mean^2 - s^2 / n) / s^2, not clipped: for pure noise 0 in the numerator, 2 / (n (n - 3)) in all
//
// Each per dimension k, then averaged over the dimensions of a group, then over matrices. Standard deviations have n - 1 in the
// denominator; a dimension with s = 0 is missing and left out. Beside them `pooled`, the SNR as paper 85's setup words it: mean
// |g| over sd(g), both over all dims, matrices and steps at once. On one fixed batch the drift's sd is movement along the
// trajectory, not sampling noise.
class Snr : public khost::Probe {
 public:
  struct Config {
    khost::Json groups = khost::Json(khost::Json::List{khost::Json::List{0, 20}, khost::Json::List{20, "K"}});
    std::int64_t batches = 16;
    std::string at = "start";
    static void fields(auto& f) {
      f("groups", &Config::groups)
          .shape("[[first, end], ...]")
          .doc("half-open ranges of dimensions, counted from 0; \"K\" stands for the adapter's rank");
      f("batches", &Config::batches).at_least(0).doc("independent batches of the batch SNR: at least 16, or 0 to leave it out");
      f("at", &Config::at).choices({"start", "end"}).doc("weights of the batch SNR: alpha = 0, or alpha as trained");
    }
  };

  explicit Snr(const Config& config);
  static void declare(khost::Signals& s, const Config& config);
  void null(khost::NullDraw& draw) override;
  void begin(const khost::TrialInfo& trial) override;
  void observe(const khost::Step& step) override;
  void conclude(khost::Trial& trial) override;
  void state(khost::State& s) override { s(drift_, pooled_); }

 private:
  // Running moments of one dimension (Welford).
  struct Moments {
    std::int64_t n = 0;
    double mean = 0, m2 = 0, mean_abs = 0;
    void add(double x);
    double variance() const;  // n - 1; 0 of fewer than 2
    double sd() const;
    double ratio() const;     // mean |x| / sd; missing when sd is 0
    double debiased() const;  // (mean^2 - s^2 / n) / s^2; missing when s is 0
  };
  using PerMatrix = std::vector<std::vector<Moments>>;  // [matrix][k]
  struct Range {
    std::int64_t first = 0, end = -1;  // end -1: K
    khost::Place place;
  };

  PerMatrix moments() const;
  template <class Statistic>
  std::vector<double> by_group(const PerMatrix& all, Statistic statistic) const;
  static void emit(khost::Trial& trial, const std::string& name, const std::vector<double>& groups);

  Config config_;
  std::vector<Range> groups_;
  std::vector<std::int64_t> ranks_;  // of the matrices that carry an adapter, like all that is kept per matrix
  PerMatrix drift_;
  struct Pooled {
    double n = 0, sum = 0, squares = 0, signed_sum = 0;
  };
  std::vector<Pooled> pooled_;  // |g|, and g, over dims, matrices and steps, per group
};
