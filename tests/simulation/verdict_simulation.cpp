// What the rules of verdicts do, against experiments whose truth is known. Each case prints its line: the tables are those of
// docs/decisions/0005. KHOST_EXPERIMENTS sets the number of experiments of a case, 2,000 otherwise.
//
// The bounds. An interval at level 1 - alpha that has the truth on an edge of S errs with chance alpha: half of it confirms,
// half falsifies. Of N experiments the share of errors stays within 3 binomial standard deviations of that nominal level.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "simulation/simulated.hpp"
#include "stats/power.hpp"
#include "stats/verdict.hpp"

using khost::ClaimRule;
using khost::Measured;
using khost::Random;
using khost::Verdict;
using khost::VerdictKind;
using namespace simulated;

namespace {

double gamma_of(Random& r, int shape) {
  double sum = 0;
  for (int i = 0; i < shape; ++i) sum += exponential(r);
  return sum;
}

// The noise of one measure about its truth, with mean 0 (on the scale of the claim) and sd about 1. Arms share the seed's
// effect, which leaves a difference (and the logarithm of a ratio) with the noise of the arms.
struct Seeds {
  std::string name;
  double skewness;
  std::function<double(Random&)> noise;
};

const std::vector<Seeds>& kinds() {
  static const double half = std::exp(0.125), ln3_6 = 1.0 / 3 + 1.0 / 4 + 1.0 / 5;  // digamma(6) - digamma(3)
  static const std::vector<Seeds> all = {
      {"normal", 0, [](Random& r) { return r.normal(); }},
      {"exponential arms", 0, [](Random& r) { return (exponential(r) - exponential(r)) / std::sqrt(2.0); }},
      {"exponential, unlike", 1.25, [](Random& r) { return (exponential(r) - 1 - (exponential(r) - 1) / 2) / std::sqrt(1.25); }},
      {"gamma(6) / gamma(3)", 0.4, [](Random& r) { return (std::log(gamma_of(r, 6) / gamma_of(r, 3)) - ln3_6) / 0.76; }},
      {"gamma(16)", 0.5, [](Random& r) { return (gamma_of(r, 16) - 16) / 4; }},
      {"gamma(4)", 1, [](Random& r) { return (gamma_of(r, 4) - 4) / 2; }},
      {"log-normal 0.5", 1.75, [](Random& r) { return (std::exp(0.5 * r.normal()) - half) / 0.604; }},
      {"exponential", 2, [](Random& r) { return exponential(r) - 1; }},
      {"log-normal 1", 6.18, [](Random& r) { return (std::exp(r.normal()) - std::exp(0.5)) / 2.161; }},
  };
  return all;
}

// One experiment's measures: a difference is the truth plus noise, a ratio its exponential.
Measured draw(const Seeds& seeds, Random& r, int n, double truth, double sd, bool ratio) {
  Measured m;
  for (int i = 0; i < n; ++i) {
    const double v = truth + sd * seeds.noise(r);
    m.values.push_back(ratio ? std::exp(v) : v);
  }
  return m;
}

struct Rates {
  double confirmed = 0, falsified = 0;
  double both() const { return confirmed + falsified; }
};

// Of the rule, and of Student's interval alone.
struct Pair {
  Rates rule, student;
};

Pair simulate(const ClaimRule& claim, double alpha, const std::function<Measured(Random&)>& experiment,
              const std::string& stream) {
  Random random(1, "simulation", stream);
  const double one = 1.0 / experiments();
  const khost::Region region = khost::region_of(claim);
  Pair out;
  for (int e = 0; e < experiments(); ++e) {
    const Measured m = experiment(random);
    const Verdict v = khost::judge(claim, m, alpha, false);
    out.rule.confirmed += v.kind == VerdictKind::confirmed ? one : 0;
    out.rule.falsified += v.kind == VerdictKind::falsified ? one : 0;
    const double low = claim.log_scale ? std::log(v.low) : v.low, high = claim.log_scale ? std::log(v.high) : v.high;
    out.student.confirmed += low >= region.low && high <= region.high ? one : 0;
    out.student.falsified += high < region.low || low > region.high ? one : 0;
  }
  return out;
}

}  // namespace

TEST_CASE("false verdicts with the truth on the edge of S") {
  fmt::print("\nTruth on the edge of S, {} experiments a case; nominal 0.025 each, 0.05 together; bounds {:.4f} and {:.4f}\n",
             experiments(), bound(0.025), bound(0.05));
  fmt::print("{:<11}{:>3}  {:<20}{:>5} | {:>9} {:>9} {:>9} | {:>9} {:>9} {:>9}\n", "measure", "n", "seeds", "skew", "t: conf.",
             "falsif.", "both", "rule: c.", "falsif.", "both");
  struct Shape {
    const char* name;
    ClaimRule claim;
    double truth;  // on the claim's scale
    bool ratio;
  };
  // The half-lines, and an S with two ends, whose upper one is the truth.
  const Shape shapes[] = {{"difference", {{-infinity, 0.3}, 0.1}, 0.2, false},
                          {"ratio", {{-infinity, 0.9}, 0.1, true}, std::log(0.8), true},
                          {"ratio, two", {{0.001, 0.9}, 0.0001, true}, std::log(0.8999), true}};
  for (const Shape& shape : shapes)
    for (const Seeds& seeds : kinds())
      for (const int n : {6, 10}) {
        if (std::string(shape.name) == "ratio, two" && seeds.skewness != 0 && seeds.skewness != 2) continue;
        const Pair p = simulate(
            shape.claim, 0.05, [&](Random& r) { return draw(seeds, r, n, shape.truth, shape.ratio ? 0.3 : 1, shape.ratio); },
            fmt::format("edge {} {} {}", shape.name, seeds.name, n));
        const bool beyond = seeds.skewness > 2;
        fmt::print("{:<11}{:>3}  {:<20}{:>5.2f} | {:>9.4f} {:>9.4f} {:>9.4f} | {:>9.4f} {:>9.4f} {:>9.4f}{}\n", shape.name, n,
                   seeds.name, seeds.skewness, p.student.confirmed, p.student.falsified, p.student.both(), p.rule.confirmed,
                   p.rule.falsified, p.rule.both(), beyond ? "  beyond what the rule claims" : "");
        CAPTURE(shape.name);
        CAPTURE(seeds.name);
        CAPTURE(n);
        if (beyond) continue;
        CHECK(p.rule.both() <= bound(0.05));
        if (seeds.skewness <= 0.5) {
          CHECK(p.rule.confirmed <= bound(0.025));
          CHECK(p.rule.falsified <= bound(0.025));
        }
        if (seeds.skewness == 0 && seeds.name == "normal") {  // Student's interval is exact there: the harness is sound
          CHECK(std::abs(p.student.confirmed - 0.025) <= bound(0.025) - 0.025);
          CHECK(std::abs(p.student.falsified - 0.025) <= bound(0.025) - 0.025);
        }
      }
}

TEST_CASE("the same at the level of one claim of ten") {
  fmt::print(
      "\nTruth on the edge of S at alpha 0.005 (nominal 0.0025 each): bound {:.4f} together; of skewed seeds the level is "
      "shown\n",
      bound(0.005));
  fmt::print("{:>3}  {:<20} | {:>9} {:>9} | {:>9} {:>9}\n", "n", "seeds", "t: conf.", "falsif.", "rule: c.", "falsif.");
  const ClaimRule claim{{-infinity, 0}};
  for (const Seeds& seeds : kinds())
    for (const int n : {6, 10}) {
      if (seeds.skewness > 2) continue;
      const Pair p = simulate(
          claim, 0.005, [&](Random& r) { return draw(seeds, r, n, 0, 1, false); }, fmt::format("strict {} {}", seeds.name, n));
      fmt::print("{:>3}  {:<20} | {:>9.4f} {:>9.4f} | {:>9.4f} {:>9.4f}\n", n, seeds.name, p.student.confirmed,
                 p.student.falsified, p.rule.confirmed, p.rule.falsified);
      CAPTURE(seeds.name);
      CAPTURE(n);
      if (seeds.skewness == 0) CHECK(p.rule.both() <= bound(0.005));
      CHECK(p.rule.both() <= p.student.both());
    }
}

TEST_CASE("a planted effect is found with the power that seeds_needed predicts") {
  fmt::print("\nPlanted effect, seeds as many as seeds_needed says (80 %); found in a share of {} experiments\n", experiments());
  fmt::print("{:<11}{:>8}{:>9}{:>6}{:>11} | {:>8} {:>8}\n", "measure", "effect", "alpha", "n", "predicted", "found", "bound");
  const Seeds& normal = kinds()[0];
  for (const bool ratio : {false, true})
    for (const double effect : {0.2, 0.5, 0.8, 1.2, 2.0, 4.0, -0.8})  // in sds; below S's edge, except the last
      for (const double alpha : {0.05, 0.05 / 16}) {
        const double sd = ratio ? 0.3 : 1, edge = ratio ? std::log(0.8) : 0.2, truth = edge - effect * sd;
        const ClaimRule claim = ratio ? ClaimRule{{-infinity, 0.9}, 0.1, true} : ClaimRule{{-infinity, 0.3}, 0.1};
        const auto needed = khost::values_needed(truth, sd, khost::region_of(claim), alpha, khost::least_seeds);
        REQUIRE(needed);
        const int n = static_cast<int>(*needed);
        const double predicted = khost::power(truth, sd, khost::region_of(claim), n, alpha);
        const Pair p = simulate(
            claim, alpha, [&](Random& r) { return draw(normal, r, n, truth, sd, ratio); },
            fmt::format("power {} {} {}", ratio, effect, alpha));
        const double found = effect > 0 ? p.rule.confirmed : p.rule.falsified;
        // Three standard deviations of the experiments and of the prediction, itself of 4,000 samples up to n = 100; above,
        // the prediction leaves out the second interval's price, at most 0.01 there.
        const double allowed =
            3 * std::sqrt(predicted * (1 - predicted) * (1.0 / experiments() + 1.0 / 4000)) + (n > 100 ? 0.01 : 0);
        fmt::print("{:<11}{:>8.1f}{:>9.4f}{:>6}{:>11.3f} | {:>8.3f} {:>8.3f}\n", ratio ? "ratio" : "difference", effect, alpha, n,
                   predicted, found, allowed);
        CAPTURE(effect);
        CAPTURE(alpha);
        CHECK(std::abs(found - predicted) <= allowed);
        CHECK(predicted >= khost::planned_power);
        CHECK((effect > 0 ? p.rule.falsified : p.rule.confirmed) <= bound(0.001));
      }
}

TEST_CASE("the same with skewed seeds") {
  fmt::print(
      "\nThe same with skewed seeds, whose number is planned as if they were normal (alpha 0.05); bound: predicted - 0.1 - skew "
      "/ 8\n");
  fmt::print("{:<20}{:>8}{:>6}{:>11} | {:>16} {:>16}\n", "seeds", "effect", "n", "predicted", "found, to tail",
             "found, from tail");
  for (const char* name : {"exponential arms", "gamma(4)", "exponential"})
    for (const double effect : {0.8, 1.2, 2.0}) {
      const Seeds* seeds = nullptr;
      for (const Seeds& s : kinds())
        if (s.name == name) seeds = &s;
      REQUIRE(seeds);
      const ClaimRule above{{0, infinity}}, below{{-infinity, 0}};
      const int n = static_cast<int>(*khost::values_needed(effect, 1, khost::region_of(above), 0.05, khost::least_seeds));
      const double predicted = khost::power(effect, 1, khost::region_of(above), n, 0.05);
      const auto found = [&](const ClaimRule& claim, double truth) {
        return simulate(
                   claim, 0.05, [&](Random& r) { return draw(*seeds, r, n, truth, 1, false); },
                   fmt::format("skewed power {} {}", name, truth))
            .rule.confirmed;
      };
      const double up = found(above, effect), down = found(below, -effect);
      fmt::print("{:<20}{:>8.1f}{:>6}{:>11.3f} | {:>16.3f} {:>16.3f}\n", name, effect, n, predicted, up, down);
      CAPTURE(name);
      CAPTURE(effect);
      // Planned for another shape: away from a long tail, where the interval is widened, the power is lower.
      const double allowed = 0.1 + 0.125 * seeds->skewness;
      CHECK(up >= predicted - allowed);
      CHECK(down >= predicted - allowed);
    }
}

TEST_CASE("Holm keeps the family's level") {
  fmt::print("\nA family of claims: a false verdict on any whose truth is on the edge of its S; nominal 0.05, bound {:.4f}\n",
             bound(0.05));
  const ClaimRule claim{{-infinity, 0}};
  for (const int m : {1, 4, 16})
    for (const bool planted : {false, true}) {
      if (planted && m == 1) continue;
      Random random(1, "simulation", fmt::format("family {} {}", m, planted));
      int wrong = 0, found = 0;
      for (int e = 0; e < experiments(); ++e) {
        std::vector<khost::FamilyMember> family;
        for (int i = 0; i < m; ++i)  // planted: the second half of the family has an effect of 4 sd
          family.push_back({claim, draw(kinds()[0], random, 10, planted && i >= m / 2 ? -4 : 0, 1, false)});
        const std::vector<Verdict> verdicts = khost::judge_family(family, khost::family_alpha, false);
        bool error = false;
        for (int i = 0; i < m; ++i) {
          const bool true_effect = planted && i >= m / 2;
          if (true_effect)
            found += verdicts[static_cast<std::size_t>(i)].kind == VerdictKind::confirmed;
          else
            error = error || verdicts[static_cast<std::size_t>(i)].kind != VerdictKind::inconclusive;
        }
        wrong += error;
      }
      const double rate = static_cast<double>(wrong) / experiments();
      fmt::print("{:>3} claims{:<22} any false verdict {:.4f}{}\n", m, planted ? ", half with an effect" : "", rate,
                 planted ? fmt::format(", effects found {:.3f}", found / static_cast<double>(experiments() * (m - m / 2))) : "");
      CAPTURE(m);
      CHECK(rate <= bound(0.05));
    }
}

TEST_CASE("base draws are clusters") {
  fmt::print("\nBase draws differ (sd 1, seeds within one 0.5; 10 seeds each), the truth is on the edge of S; bound {:.4f}\n",
             bound(0.05));
  const ClaimRule claim{{-infinity, 0}};
  for (const int draws : {3, 5, 8}) {
    const auto experiment = [draws](Random& r) {
      Measured m;
      for (int d = 0; d < draws; ++d) {
        const double base = r.normal();
        for (int s = 0; s < 10; ++s) {
          m.values.push_back(base + 0.5 * r.normal());
          m.draws.push_back(d);
        }
      }
      return m;
    };
    const auto pooled = [&experiment](Random& r) {
      Measured m = experiment(r);
      m.draws.clear();
      return m;
    };
    const std::string stream = fmt::format("draws {}", draws);
    const double clustered = simulate(claim, 0.05, experiment, stream).rule.both();
    const double as_seeds = simulate(claim, 0.05, pooled, stream).rule.both();
    fmt::print("{} draws: false verdicts {:.4f}; with all seeds as if independent {:.4f}\n", draws, clustered, as_seeds);
    CHECK(clustered <= bound(0.05));
    CHECK(as_seeds > 0.3);  // what the rule is there to prevent
  }
}

namespace {

// Noise as a probe meets it: |g| of K = 64 Gaussian entries; its in-basis effective rank over K, and the ratio of the mean of
// dims 20 to 63 to that of 0 to 19. `planted` scales the top 20.
double effective_rank(Random& r, double planted) {
  double sum = 0, weighted = 0;
  for (int k = 0; k < 64; ++k) {
    const double g = std::abs(r.normal()) * (k < 20 ? planted : 1);
    sum += g;
    weighted += g > 0 ? g * std::log(g) : 0;
  }
  return sum * std::exp(-weighted / sum) / 64;  // exp(H): H = ln sum - weighted / sum
}
double group_ratio(Random& r, double planted) {
  double top = 0, bottom = 0;
  for (int k = 0; k < 64; ++k) (k < 20 ? top : bottom) += std::abs(r.normal()) * (k < 20 ? planted : 1);
  return (bottom / 44) / (top / 20);
}

}  // namespace

TEST_CASE("explained by noise") {
  fmt::print("\nExplained by noise: {} experiments a case, 1,000 replicates of the null; shares of the experiments\n",
             experiments());
  fmt::print("{:<58}{:>3} | {:>9} {:>9} {:>9} {:>9} | {:>9}\n", "claim; data", "n", "noise", "confirm.", "falsif.", "inconcl.",
             "by share");
  struct Case {
    std::string name;
    ClaimRule claim;
    double (*measure)(Random&, double);
    double planted;  // 1: the data is drawn from the null
    VerdictKind expected;
    bool noise_too = false;  // reaches the same verdict
  };
  const Case cases[] = {
      {"bottom / top > 0.45; noise", {{0.45, infinity}, 0.02, true}, group_ratio, 1, VerdictKind::explained_by_noise},
      {"bottom / top < 0.5; noise", {{-infinity, 0.5}, 0.05, true}, group_ratio, 1, VerdictKind::explained_by_noise},
      {"ER in [0.6, 0.9] K; noise", {{0.6, 0.9}, 0.02}, effective_rank, 1, VerdictKind::explained_by_noise},
      {"bottom / top < 0.8; bottom at a third", {{-infinity, 0.8}, 0.05, true}, group_ratio, 3, VerdictKind::confirmed},
      {"bottom / top > 0.8; bottom at a third", {{0.8, infinity}, 0.05, true}, group_ratio, 3, VerdictKind::falsified},
      {"ER < 0.7 K; the top 20 dims at eightfold", {{-infinity, 0.7}, 0.01}, effective_rank, 8, VerdictKind::confirmed},
      // Noise is wrong for these claims too, on the same side of S and on the other; the data is not noise.
      {"bottom / top > 1.2; bottom at a third", {{1.2, infinity}, 0.05, true}, group_ratio, 3, VerdictKind::falsified, true},
      {"ER in [0.65, 0.7] K; the top 20 dims at eightfold", {{0.65, 0.7}, 0.01}, effective_rank, 8, VerdictKind::falsified, true},
      // The data is not noise, but a claim that noise meets too was no test of that.
      {"ER > 0.3 K; the top 20 dims at eightfold",
       {{0.3, infinity}, 0.01},
       effective_rank,
       8,
       VerdictKind::explained_by_noise,
       true},
  };
  for (const Case& c : cases)
    for (const int n : {6, 10}) {
      Random random(1, "simulation", fmt::format("noise {} {}", c.name, n));
      std::vector<std::vector<double>> null(1000, std::vector<double>(static_cast<std::size_t>(n)));
      for (auto& replicate : null)
        for (double& v : replicate) v = c.measure(random, 1);
      const Measured shape{std::vector<double>(static_cast<std::size_t>(n)), {}, ""};
      const khost::Noise noise = khost::noise_of(c.claim, shape, 0.05, 1000, [&](std::int64_t r, std::span<double> values) {
        std::ranges::copy(null[static_cast<std::size_t>(r)], values.begin());
      });
      double shares[4] = {}, taken_before = 0;  // what the guard without its exception would have taken away
      for (int e = 0; e < experiments(); ++e) {
        Measured m;
        for (int i = 0; i < n; ++i) m.values.push_back(c.measure(random, c.planted));
        Verdict v = khost::judge(c.claim, m, 0.05, false);
        khost::guard(v, noise);
        shares[static_cast<int>(v.kind)] += 1.0 / experiments();
        taken_before += v.null_share && *v.null_share >= khost::noise_share ? 1.0 / experiments() : 0;
      }
      const auto share = [&](VerdictKind kind) { return shares[static_cast<int>(kind)]; };
      fmt::print("{:<58}{:>3} | {:>9.4f} {:>9.4f} {:>9.4f} {:>9.4f} | {:>9.4f}\n", c.name, n,
                 share(VerdictKind::explained_by_noise), share(VerdictKind::confirmed), share(VerdictKind::falsified),
                 share(VerdictKind::inconclusive), taken_before);
      CAPTURE(c.name);
      CAPTURE(n);
      CHECK(share(c.expected) >= 0.9);
      if (c.planted != 1 && !c.noise_too) CHECK(share(VerdictKind::explained_by_noise) == 0);
      // Data that is noise keeps a verdict which noise reaches no oftener than its interval leaves out where noise lies.
      if (c.planted == 1) CHECK(share(VerdictKind::confirmed) + share(VerdictKind::falsified) <= bound(0.05));
    }
}
