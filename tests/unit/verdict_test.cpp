#include "stats/verdict.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "khost/random.hpp"

using doctest::Approx;
using khost::ClaimRule;
using khost::judge;
using khost::Measured;
using khost::Verdict;
using khost::VerdictKind;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(), absent = std::numeric_limits<double>::quiet_NaN();
const ClaimRule positive{{0, infinity}}, negative{{-infinity, 0}};

// Six even values with a t statistic of `t` against 0: sd = sqrt(3.5).
Measured with_t(double t) {
  Measured m;
  for (const double v : {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5}) m.values.push_back(v + t * std::sqrt(3.5 / 6));
  return m;
}

Measured values(std::vector<double> v) { return {std::move(v), {}, ""}; }

// `seeds` values around each of the draws' means.
Measured over_draws(const std::vector<double>& means, int seeds = 6) {
  Measured m;
  for (std::size_t d = 0; d < means.size(); ++d)
    for (int s = 0; s < seeds; ++s) {
      m.values.push_back(means[d] + (s % 2 ? 0.01 : -0.01));
      m.draws.push_back(static_cast<int>(d));
    }
  return m;
}

}  // namespace

TEST_CASE("the interval's place decides: t(5, 0.975) = 2.5706") {
  const Verdict just = judge(positive, with_t(2.58), 0.05);
  CHECK(just.kind == VerdictKind::confirmed);
  CHECK(just.reason.empty());
  CHECK(just.low > 0);
  CHECK(just.low == Approx((2.58 - 2.570581835636314) * std::sqrt(3.5 / 6)).epsilon(1e-9));
  CHECK_FALSE(just.needed);
  CHECK(just.this_base_alone);
  CHECK(just.seeds == 6);
  CHECK(just.no_guard);

  const Verdict short_of = judge(positive, with_t(2.56), 0.05);
  CHECK(short_of.kind == VerdictKind::inconclusive);
  CHECK(short_of.reason.empty());
  CHECK(short_of.low < 0);
  REQUIRE(short_of.needed);
  CHECK(*short_of.needed > 6);

  CHECK(judge(positive, with_t(-2.58), 0.05).kind == VerdictKind::falsified);
  CHECK(judge(negative, with_t(-2.58), 0.05).kind == VerdictKind::confirmed);
  CHECK(judge(positive, with_t(2.58), 0.04).kind == VerdictKind::inconclusive);
  const Verdict edge = judge(positive, with_t(0), 0.05);
  CHECK(edge.kind == VerdictKind::inconclusive);
  CHECK_FALSE(edge.needed);  // no number of seeds decides
}

TEST_CASE("the margin is taken off the prediction at its finite ends") {
  ClaimRule rule = positive;
  const double mean = 2.58 * std::sqrt(3.5 / 6);
  rule.margin = 0.001;
  CHECK(judge(rule, with_t(2.58), 0.05).kind == VerdictKind::confirmed);
  rule.margin = 0.01;
  CHECK(judge(rule, with_t(2.58), 0.05).kind == VerdictKind::inconclusive);
  rule.margin = 2 * mean;
  CHECK(judge(rule, with_t(2.58), 0.05).kind == VerdictKind::falsified);
  CHECK(judge(rule, with_t(2.58), 0.05).inner.low == 2 * mean);

  const ClaimRule within{{mean - 3, mean + 3}, 0.5};
  CHECK(judge(within, with_t(2.58), 0.05).kind == VerdictKind::confirmed);  // half-width 1.96 in 2.5
  CHECK(judge({{mean - 3, mean + 3}, 1.1}, with_t(2.58), 0.05).kind == VerdictKind::inconclusive);
  CHECK(judge({{mean - 3, mean + 3}, 3.1}, with_t(2.58), 0.05).reason.find("nothing is left") == 0);
}

TEST_CASE("equal values have no spread, and decide nothing") {
  for (const ClaimRule& rule : {negative, ClaimRule{{-infinity, 0.5}, 0.5}, ClaimRule{{-9, 9}, 1}, ClaimRule{{5, 9}, 1}}) {
    const Verdict v = judge(rule, values(std::vector<double>(6, 0.0)), 0.05);
    CHECK(v.kind == VerdictKind::inconclusive);
    CHECK(v.reason == "no spread: all seeds have one value, and nothing says how far off it may be");
    CHECK(v.p == 1);
    CHECK_FALSE(v.needed);
    CHECK_FALSE(khost::can_decide(rule, values(std::vector<double>(6, 0.0))));
    CHECK(khost::can_decide(rule, with_t(0)));
    CHECK_FALSE(khost::can_decide(rule, values({1, 2, 3})));
  }
  const Verdict draws = judge(negative, over_draws({1, 1, 1}), 0.05);
  CHECK(draws.reason == "no spread: all base draws have one value, and nothing says how far off it may be");
}

TEST_CASE("no power of ten that a measure, its prediction and its margin are multiplied by changes a verdict") {
  const double limits[][2] = {{-infinity, 0}, {0, infinity}, {-0.3, 0.2}, {0.5, 3}, {-infinity, 1}, {-4, 4}};
  khost::Random random(3, "rescale", "test");
  int kinds[4] = {};
  for (int trial = 0; trial < 240; ++trial) {
    const double* limit = limits[trial % 6];
    Measured data, noise;
    for (int i = 0; i < 6 + trial % 5; ++i) {
      data.values.push_back((trial % 2 ? random.normal() : -std::log(1 - random.uniform())) * 0.4 + trial % 7 * 0.5 - 1);
      noise.values.push_back(random.normal());
    }
    const auto judged = [&](double scale) {
      const ClaimRule rule{{limit[0] * scale, limit[1] * scale}, 0.1 * scale};
      const auto times = [&](std::vector<double> v) {
        for (double& x : v) x *= scale;
        return v;
      };
      Verdict v = judge(rule, values(times(data.values)), 0.05, false);
      std::vector<std::vector<double>> null;
      for (int shift = 0; shift < 20; ++shift) {
        std::vector<double> row = noise.values;
        for (double& x : row) x += 0.1 * shift;
        null.push_back(times(row));
      }
      khost::guard_by_null(v, rule, values(times(data.values)), null);
      return v;
    };
    const Verdict one = judged(1);
    ++kinds[static_cast<int>(one.kind)];
    for (const double scale : {1e-200, 1e-160, 1e-10, 10.0, 1e160, 1e200}) {
      CAPTURE(trial);
      CAPTURE(scale);
      const Verdict v = judged(scale);
      CHECK(v.kind == one.kind);
      CHECK(v.before_null == one.before_null);
      CHECK(v.p == Approx(one.p).epsilon(1e-9));
      CHECK(v.low / scale == Approx(one.low));
    }
  }
  for (const int count : kinds) CHECK(count > 5);
  for (const double scale : {1e-200, 1e200}) {
    Measured data = with_t(2);
    const Verdict one = judge(positive, data, 0.05);
    for (double& v : data.values) v *= scale;
    CHECK(judge(positive, data, 0.05).needed == one.needed);
  }
}

TEST_CASE("a look's share comes off the level; all shares together are the whole of it") {
  double sum = 0;
  for (int look = 1; look <= 60; ++look) {
    sum += khost::look_share(look);
    CHECK(khost::look_share(look + 1) < khost::look_share(look));
  }
  CHECK(sum == Approx(1).epsilon(1e-12));
  CHECK(sum <= 1);
  CHECK(khost::look_share(1) == 0.8);
  CHECK(khost::look_share(2) == Approx(0.1));
  // Of three claims with t = 4 and looks 1, 3 and 0 (not counted) the one that has looked oftenest comes last.
  const std::vector<khost::FamilyMember> family = {{positive, with_t(4), 1}, {positive, with_t(4), 3}, {positive, with_t(4), 0}};
  const std::vector<Verdict> v = khost::judge_family(family);
  CHECK(v[2].alpha == Approx(0.05 / 3));
  CHECK(v[0].alpha == Approx(0.8 * 0.05 / 2));
  CHECK(v[1].alpha == Approx(0.05 * 0.05));
  CHECK(v[0].kind == VerdictKind::confirmed);
  CHECK(v[1].kind == VerdictKind::inconclusive);  // p = 0.0103
  CHECK(v[1].look == 3);
  // What would decide is planned for the next look.
  REQUIRE(v[1].needed);
  CHECK(*v[1].needed > *judge(positive, with_t(4), v[1].alpha).needed);
}

TEST_CASE("the log scale") {
  Measured ratios;
  for (const double v : with_t(2.58).values) ratios.values.push_back(std::exp(v));
  const ClaimRule rule{{1, infinity}, 0, true};
  const Verdict v = judge(rule, ratios, 0.05), plain = judge(positive, with_t(2.58), 0.05);
  CHECK(v.kind == VerdictKind::confirmed);
  CHECK(v.estimate == Approx(std::exp(plain.estimate)));  // the geometric mean
  CHECK(v.low == Approx(std::exp(plain.low)));
  CHECK(v.high == Approx(std::exp(plain.high)));
  CHECK(v.p == Approx(plain.p));
  REQUIRE(v.improvement);
  CHECK(v.improvement->share == Approx(5.0 / 6));
  // The margin is in the measure's units: "> 1" by 0.1 is S = [1.1, inf).
  CHECK(khost::region_of({{1, infinity}, 0.1, true}).low == Approx(std::log(1.1)));
  CHECK(khost::region_of({{-1, 2}, 0, true}).low == -infinity);
  CHECK(khost::region_of({{-infinity, 0.5}, 0.5, true}).empty());

  ratios.values[2] = 0;
  const Verdict zero = judge(rule, ratios, 0.05);
  CHECK(zero.kind == VerdictKind::inconclusive);
  CHECK(zero.reason == "the measure is not positive in 1 of 6 trials, and the log scale takes only what is");
  CHECK_FALSE(zero.needed);
}

TEST_CASE("what stands against any verdict is named") {
  Measured few = with_t(50);
  few.values.pop_back();
  Verdict v = judge(positive, few, 0.05);
  CHECK(v.kind == VerdictKind::inconclusive);
  CHECK(v.reason == "5 seeds: a verdict takes at least 6");
  CHECK(v.low > 0);  // the interval is there all the same
  CHECK(v.needed == 6);

  Measured missing = with_t(50);
  missing.values[1] = absent;
  missing.values[4] = infinity;
  missing.values.push_back(40);
  v = judge(positive, missing, 0.05);
  CHECK(v.kind == VerdictKind::inconclusive);
  CHECK(v.reason == "the measure is missing or not a finite number in 2 of 7 trials");
  CHECK(v.seeds == 5);
  CHECK_FALSE(v.needed);

  Measured failed = with_t(50);
  failed.problem = "arm 'K64' failed";
  CHECK(judge(positive, failed, 0.05).reason == "arm 'K64' failed");
  CHECK(judge(positive, failed, 0.05).kind == VerdictKind::inconclusive);

  v = judge(positive, values({}), 0.05);
  CHECK(v.reason == "0 seeds: a verdict takes at least 6");
  CHECK(std::isnan(v.estimate));
  v = judge(positive, values({3}), 0.05);
  CHECK(v.reason == "1 seed: a verdict takes at least 6");
  CHECK(v.estimate == 3);
  CHECK(std::isnan(v.low));
  CHECK_THROWS_AS(judge(positive, {{1, 2, 3}, {0, 1}, ""}, 0.05), std::invalid_argument);
}

TEST_CASE("skewed seeds: Hall's interval has to agree") {
  // t against 1.4 is -2.72, beyond 2.57; corrected for the long tail above, the interval reaches 2.8.
  const Verdict v = judge({{-infinity, 1.4}}, values({0.1, 0.2, 0.25, 0.4, 0.7, 2.0}), 0.05);
  CHECK(v.high < 1.4);
  CHECK(v.corrected_high == Approx(2.80252).epsilon(1e-5));
  CHECK(v.kind == VerdictKind::inconclusive);
  CHECK(v.reason.find("the seeds are skewed: corrected for it, the interval runs from 0.1389 to 2.803") == 0);
  REQUIRE(v.needed);
  CHECK(*v.needed > 6);
}

TEST_CASE("base draws are clusters") {
  Measured m = over_draws({1, 1.2, 1.4});
  const Verdict v = judge(positive, m, 0.05);
  CHECK(v.kind == VerdictKind::confirmed);
  CHECK(v.over_draws);
  CHECK_FALSE(v.this_base_alone);
  CHECK(v.draws == 3);
  CHECK(v.seeds == 18);
  // t(2, 0.975) = 4.302653 over three means with sd 0.2
  CHECK(v.low == Approx(1.2 - 4.302652729749464 * 0.2 / std::sqrt(3.0)).epsilon(1e-9));
  REQUIRE(v.improvement);
  CHECK(v.improvement->share == 1);
  CHECK(std::isnan(v.improvement->low));

  // As many seeds as one likes of draws that differ decide nothing; draws do.
  const Verdict apart = judge(positive, over_draws({0.1, 1.2, 2.3}, 50), 0.05);
  CHECK(apart.kind == VerdictKind::inconclusive);
  CHECK(apart.reason.empty());
  REQUIRE(apart.needed);
  CHECK(*apart.needed > 3);
  CHECK(*apart.needed < 20);  // draws

  const Verdict two = judge(positive, over_draws({1, 1.01}, 20), 0.05);
  CHECK(two.kind == VerdictKind::inconclusive);
  CHECK(two.reason == "2 base draws: an interval over draws takes at least 3");
  CHECK(two.needed == 3);

  m.values.pop_back();
  m.draws.pop_back();
  CHECK(judge(positive, m, 0.05).reason == "5 seeds in a base draw: a verdict takes at least 6");
}

TEST_CASE("probability of improvement, with Wilson's interval") {
  const Verdict v = judge(negative, values({-1, -2, -1, -3, -1, 1, -2, -1, 0, -1}), 0.05);
  REQUIRE(v.improvement);
  CHECK(v.improvement->share == Approx(0.85));
  // 8 of 10: Wilson 95 % is 0.4901625 to 0.9433178
  const Verdict eight = judge(negative, values({-1, -2, -1, -3, -1, 1, -2, -1, 1, -1}), 0.05);
  CHECK(eight.improvement->low == Approx(0.4901625).epsilon(1e-6));
  CHECK(eight.improvement->high == Approx(0.9433178).epsilon(1e-6));
  CHECK_FALSE(judge({{-infinity, 0.5}}, with_t(1), 0.05).improvement);
  CHECK_FALSE(judge({{-1, 0}}, with_t(1), 0.05).improvement);
}

TEST_CASE("Holm by hand: t(5) at 5 %, 5/2 % and 5/3 % is 2.5706, 3.1634 and 3.5341") {
  using Kinds = std::vector<VerdictKind>;
  const auto kinds = [](std::vector<double> t, std::vector<double> alphas) {
    std::vector<khost::FamilyMember> family;
    for (const double x : t) family.push_back({positive, with_t(x)});
    const std::vector<Verdict> out = khost::judge_family(family);
    Kinds result;
    for (std::size_t i = 0; i < out.size(); ++i) {
      CHECK(out[i].alpha == Approx(alphas[i]));
      // Every interval says by itself what its verdict is.
      CHECK((out[i].kind == VerdictKind::confirmed) == (out[i].low > 0));
      CHECK((out[i].kind == VerdictKind::falsified) == (out[i].high < 0));
      result.push_back(out[i].kind);
    }
    return result;
  };
  const VerdictKind yes = VerdictKind::confirmed, no = VerdictKind::falsified, open = VerdictKind::inconclusive;
  CHECK(kinds({3.6, 3.2, 2.6}, {0.05 / 3, 0.025, 0.05}) == Kinds{yes, yes, yes});
  CHECK(kinds({2.6, -3.6, 3.2}, {0.05, 0.05 / 3, 0.025}) == Kinds{yes, no, yes});
  CHECK(kinds({3.5, 3.5, 3.5}, {0.05 / 3, 0.05 / 3, 0.05 / 3}) == Kinds{open, open, open});  // the first fails, and ends it
  CHECK(kinds({2.6, 3.6, 3.1}, {0.025, 0.05 / 3, 0.025}) == Kinds{open, yes, open});         // 2.6 alone would do at 5 %
  CHECK(kinds({2.6}, {0.05}) == Kinds{yes});
  CHECK(kinds({}, {}).empty());
}

TEST_CASE("a claim that cannot be judged still counts in its family") {
  khost::FamilyMember broken{positive, with_t(9)};
  broken.measured.problem = "arm 'K64' failed";
  const std::vector<khost::FamilyMember> family = {broken, {positive, with_t(3.1)}};
  const std::vector<Verdict> out = khost::judge_family(family);
  CHECK(out[0].reason == "arm 'K64' failed");
  CHECK(out[1].kind == VerdictKind::inconclusive);  // 3.1 < 3.1634
}

TEST_CASE("explained by noise: the same rule at the same level on the null's replicates") {
  const Measured data = with_t(4);
  const auto with = [&](int same, int other, int broken) {
    std::vector<std::vector<double>> null;
    for (int i = 0; i < same; ++i) null.push_back(with_t(3).values);
    for (int i = 0; i < other; ++i) null.push_back(with_t(i % 2 ? -3 : 1).values);
    for (int i = 0; i < broken; ++i) {
      null.push_back(with_t(3).values);
      null.back()[3] = absent;
    }
    Verdict v = judge(positive, data, 0.05);
    khost::guard_by_null(v, positive, data, null);
    return v;
  };
  CHECK(with(5, 95, 0).kind == VerdictKind::explained_by_noise);
  CHECK(*with(5, 95, 0).null_share == Approx(0.05));
  CHECK(with(5, 95, 0).before_null == VerdictKind::confirmed);
  CHECK_FALSE(with(5, 95, 0).no_guard);
  // 4 % is no such share; but the interval meets the noise's estimates, so that the figure could be noise.
  CHECK(*with(4, 96, 0).null_share == Approx(0.04));
  CHECK(with(4, 96, 0).kind == VerdictKind::explained_by_noise);
  CHECK_FALSE(with(4, 96, 0).outside_noise);
  CHECK(*with(4, 0, 96).null_share == Approx(0.04));     // replicates with a missing value count, and reach nothing
  CHECK(with(1, 99, 0).kind == VerdictKind::confirmed);  // the middle 95 % of noise lie below the interval
  CHECK(with(0, 0, 0).no_guard);
  CHECK(with(0, 0, 0).kind == VerdictKind::confirmed);

  // At a stricter level the replicates with t = 3 reach nothing.
  Verdict strict = judge(positive, data, 0.02);
  khost::guard_by_null(strict, positive, data, {100, with_t(3).values});
  CHECK(strict.before_null == VerdictKind::confirmed);
  CHECK(*strict.null_share == 0);

  Verdict open = judge(positive, with_t(1), 0.05);
  khost::guard_by_null(open, positive, with_t(1), {100, with_t(3).values});
  CHECK(open.kind == VerdictKind::inconclusive);
  CHECK_FALSE(open.null_share);
  CHECK_FALSE(open.no_guard);

  CHECK_THROWS_AS(khost::guard_by_null(strict, positive, data, {{1, 2, 3}}), std::invalid_argument);
}

TEST_CASE("what noise falsifies too stays falsified where the interval lies outside noise, and only there") {
  // With an interval wholly below 0, above which noise lies: wrong for "> 5", as noise is, but not noise.
  const ClaimRule far{{5, infinity}};
  const auto shifted = [](double by) {
    std::vector<double> values = with_t(0).values;
    for (double& v : values) v += by;
    return values;
  };
  const auto guarded = [&](const ClaimRule& rule, const std::vector<double>& values, double noise) {
    const Measured data{values, {}, ""};
    Verdict v = judge(rule, data, 0.05);
    std::vector<std::vector<double>> null;
    for (int i = 0; i < 100; ++i) null.push_back(shifted(noise + 0.01 * (i - 50)));
    khost::guard_by_null(v, rule, data, null);
    CHECK(*v.null_share == 1);
    REQUIRE(v.null_estimates);
    CHECK(v.null_estimates->low == Approx(noise - 0.48).epsilon(0.05));
    CHECK(v.null_estimates->high == Approx(noise + 0.47).epsilon(0.05));
    return v;
  };
  const Verdict other = guarded(far, shifted(-20), 0);
  CHECK(other.kind == VerdictKind::falsified);
  CHECK(other.outside_noise);
  const Verdict same = guarded(far, shifted(0.1), 0);
  CHECK(same.kind == VerdictKind::explained_by_noise);
  CHECK(same.before_null == VerdictKind::falsified);
  CHECK_FALSE(same.outside_noise);
  // A prediction that noise meets tests nothing, wherever in it the figure lies.
  const Verdict easy = guarded({{-100, infinity}}, shifted(-20), 0);
  CHECK(easy.kind == VerdictKind::explained_by_noise);
  CHECK(easy.outside_noise);
  // On the log scale the band is in the measure's own units.
  const Measured ratios{{0.9, 1.0, 1.1, 1.05, 0.95, 1.0}, {}, ""};
  Verdict ratio = judge({{5, infinity}, 0, true}, ratios, 0.05);
  khost::guard_by_null(ratio, {{5, infinity}, 0, true}, ratios, {100, {2, 2, 2, 2, 2, 2}});
  REQUIRE(ratio.null_estimates);
  CHECK(ratio.null_estimates->low == Approx(2));
  CHECK(ratio.kind == VerdictKind::falsified);
}

TEST_CASE("a replicate keeps the base draws of the claim") {
  const Measured data = over_draws({1, 1.1, 1.2});
  Verdict v = judge(positive, data, 0.05);
  REQUIRE(v.kind == VerdictKind::confirmed);
  // Over seeds these would confirm; over three draws that differ they do not.
  khost::guard_by_null(v, positive, data, {100, over_draws({0.1, 1.2, 2.3}).values});
  CHECK(*v.null_share == 0);
}
